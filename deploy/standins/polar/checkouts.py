"""The life of a checkout: open → confirmed → succeeded; confirmed → open when the card is declined; open → expired."""

import asyncio
import json

from deploy.standins.clock import seconds
from deploy.standins.polar import customers, ledger, orders, payments, shapes
from deploy.standins.polar.errors import ExpiredCheckout, InvalidInput, NotOpenCheckout
from deploy.standins.polar.inputs import CheckoutCreate, CheckoutUpdate, FixedPrice
from deploy.standins.polar.state import Document, Standin
from deploy.standins.polar.webhooks import announce

EXPIRY_CRON_S = 15 * 60  # Polar marks expired checkouts by a cron; until it runs they still say "open"
TEST_DOMAINS = (".test", ".local", ".localhost", ".invalid", ".example", "example.com", "example.org", "example.net")


def open_checkout(standin: Standin, wanted: CheckoutCreate) -> Document:
    _check(standin, wanted)
    checkout = shapes.checkout(standin, wanted, *_price(standin, wanted))
    with standin.database.transaction():
        standin.database.execute(
            "INSERT INTO checkouts (id, client_secret, status, expires_at, doc) VALUES (?, ?, 'open', ?, ?)",
            (checkout["id"], checkout["client_secret"], seconds(checkout["expires_at"]), json.dumps(checkout)),
        )
        announce(standin, "checkout.created", checkout)
    return checkout


def update(standin: Standin, checkout_id: str, changes: CheckoutUpdate) -> Document:
    checkout = standin.document("checkouts", checkout_id)
    if checkout["status"] != "open":
        raise NotOpenCheckout
    _check_domain(standin, changes.customer_email)
    checkout.update(changes.model_dump(exclude_none=True))
    with standin.database.transaction():
        _save(standin, checkout)
    return checkout


async def pay(standin: Standin, checkout_id: str, email: str | None = None) -> Document:
    """Confirms, waits for the bank, settles. Paid before: NotOpenCheckout; being paid right now: CheckoutLocked."""
    with standin.confirming(checkout_id):
        charge_s = standin.settings.charge_s
        checkout = confirm(standin, checkout_id, settles_after_s=charge_s, email=email)
        if charge_s:
            await asyncio.sleep(charge_s)
        return settle(standin, checkout["id"])


def confirm(
    standin: Standin, checkout_id: str, *, settles_after_s: float | None = None, email: str | None = None
) -> Document:
    """The customer pressed Pay. The charge settles after that time, by itself, or when `settle` is called if None."""
    checkout = standin.document("checkouts", checkout_id)
    _check_payable(standin, checkout)
    checkout["customer_email"] = checkout["customer_email"] or email
    if not checkout["customer_email"]:
        raise InvalidInput("body", "customer_email", msg="Email address is required.")
    customers.check_identity(standin, checkout)
    with standin.database.transaction():
        _begin_charge(standin, checkout, settles_after_s)
    return checkout


def charge_without_order(standin: Standin, checkout_id: str) -> Document:
    """The money is taken, and Polar's worker has lost the rest: no order and no webhook of one, until `settle`."""
    checkout = confirm(standin, checkout_id)
    with standin.database.transaction():
        payments.take_money(standin, checkout_id)
        ledger.charge(standin, {**checkout, "id": orders.id_of(checkout_id), "checkout_id": checkout_id})
    return checkout


def settle(standin: Standin, checkout_id: str) -> Document:
    """The charge went through: one ledger entry, one order. Settling twice gives the same checkout and no second charge."""
    checkout = standin.document("checkouts", checkout_id)
    if checkout["status"] == "succeeded":
        return checkout
    if checkout["status"] != "confirmed":
        raise NotOpenCheckout
    with standin.database.transaction():
        order = orders.place(standin, checkout)
        payments.succeed(standin, checkout_id, order["id"])
        checkout.update(status="succeeded", customer_id=order["customer_id"])
        _save(standin, checkout)
    return checkout


def decline(standin: Standin, checkout_id: str) -> Document:
    """The customer pressed Pay and the bank said no. The checkout is open again, not failed: another card may work."""
    with standin.confirming(checkout_id), standin.database.transaction():
        checkout = standin.document("checkouts", checkout_id)
        if checkout["status"] != "confirmed":  # else: a slow charge is refused in the end
            _check_payable(standin, checkout)
            _begin_charge(standin, checkout, None)
        payments.fail(standin, checkout_id)
        checkout["status"] = "open"
        _save(standin, checkout)
    return checkout


def edit(standin: Standin, checkout_id: str, changes: Document) -> Document:
    """Behind the shop's back, while it is open. `amount` is the whole of it: net and total."""
    checkout = standin.document("checkouts", checkout_id)
    if checkout["status"] != "open":
        raise NotOpenCheckout
    if "amount" in changes:
        changes |= dict.fromkeys(("net_amount", "total_amount"), changes["amount"])
    checkout.update(changes)
    with standin.database.transaction():
        _save(standin, checkout)
    return checkout


def expire(standin: Standin, checkout_id: str) -> Document:
    checkout = standin.document("checkouts", checkout_id)
    if checkout["status"] != "open":
        raise NotOpenCheckout
    checkout.update(status="expired", expires_at=min(checkout["expires_at"], standin.now_iso()))
    with standin.database.transaction():
        standin.database.execute(
            "UPDATE checkouts SET expires_at = ? WHERE id = ?", (seconds(checkout["expires_at"]), checkout_id)
        )
        standin.save("checkouts", checkout)
        announce(standin, "checkout.expired", checkout)
    return checkout


def expire_overdue(standin: Standin) -> None:
    now = standin.clock.now()
    last_cron_run = now - now % EXPIRY_CRON_S
    overdue = "SELECT id FROM checkouts WHERE status = 'open' AND expires_at <= ?"
    for row in standin.database.rows(overdue, (last_cron_run,)):
        expire(standin, row["id"])


def is_past_expiry(standin: Standin, checkout: Document) -> bool:
    expired: bool = checkout["status"] == "expired" or seconds(checkout["expires_at"]) <= standin.clock.now()
    return expired


def _begin_charge(standin: Standin, checkout: Document, settles_after_s: float | None) -> None:
    payments.start(standin, checkout, settles_after_s)
    checkout["status"] = "confirmed"
    _save(standin, checkout)


def _save(standin: Standin, checkout: Document) -> None:
    standin.save("checkouts", checkout)
    announce(standin, "checkout.updated", checkout)


def _check_payable(standin: Standin, checkout: Document) -> None:
    if checkout["status"] in {"open", "expired"} and is_past_expiry(standin, checkout):
        raise ExpiredCheckout
    if checkout["status"] != "open":
        raise NotOpenCheckout


def _check(standin: Standin, wanted: CheckoutCreate) -> None:
    if len(set(wanted.products)) != len(wanted.products):
        raise InvalidInput("body", "products", msg="Products must be unique.")
    for place, product_id in enumerate(wanted.products):
        if product_id != standin.settings.product_id:
            raise InvalidInput("body", "products", place, msg="Product does not exist.")
    for product_id in wanted.prices:
        if product_id not in wanted.products:
            raise InvalidInput("body", "prices", str(product_id), msg="Product is not part of this checkout.")
    _check_domain(standin, wanted.customer_email)


def _check_domain(standin: Standin, email: str | None) -> None:
    if email and standin.settings.reject_test_domains and email.casefold().endswith(TEST_DOMAINS):
        message = f"{email} is not a valid email address: The domain name does not accept email."
        raise InvalidInput("body", "customer_email", msg=message)


def _price(standin: Standin, wanted: CheckoutCreate) -> tuple[FixedPrice, str]:
    """The price to ask for and where it comes from; without ad-hoc prices, the product's own."""
    offered = wanted.prices.get(standin.settings.product_id)
    if offered is None:
        return shapes.CATALOGUE_PRICE, "catalog"
    in_currency = [price for price in offered if price.price_currency == wanted.currency]
    if wanted.currency and not in_currency:
        raise InvalidInput("body", "currency", msg="No price is available in this currency.")
    return (in_currency or offered)[0], "ad_hoc"
