"""A held booking, its player's profile and what Polar hints at, in any order and with copies: one page to pay at, one payment."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from polar.v2026_10.outputs import Order

from courtside_contracts.booking import BookingConfirmed
from courtside_contracts.payment import PaymentCheckoutOpened, PaymentSucceeded
from services.payments.app import consumers
from services.payments.webhooks.domain import PolarWebhook
from tests.integration.payments.builders import Payments, player
from tests.integration.payments.builders import Player as Customer
from tests.integration.permuting import Player, ends, orders, record

BEFORE_THE_PAGE = ("profile", "new address", "held", "held", "held again", "confirmed")
"""`held again` is the same hold under another event id, as after a redrive; `confirmed` without money of ours: the
club waived it, so nobody need pay any more."""
AFTER_THE_CHARGE = ("held", "new address", "page changed", "paid", "paid", "paid again")
"""Nobody pays at a page that is not open, so this is told of bookings that have one. `paid again` is a second webhook."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def till(payments: Payments) -> Player:
    return Player(payments.settings, consumers(payments.polar), payments.chassis.unit_of_work)


async def test_profile_and_hold_in_any_order_are_one_page(payments: Payments, till: Player) -> None:
    """It is filled with the newest address that had come when Polar was asked. A booking that was confirmed before needs none."""

    async def run(order: tuple[str, ...]) -> tuple[Any, ...]:
        ana = player()
        told = bookings_records(ana)
        await till.play(told[kind] for kind in order)
        emails = [checkout.customer_email for checkout in await pages(payments, ana)]
        events = [event.checkout_url for event in await payments.events(PaymentCheckoutOpened, ana.booking_id)]
        attempt = await payments.attempt(ana)
        newest = new_address(ana) if new_address_in_time(order) else ana.email
        wanted = ([newest], [attempt["checkout_url"]]) if page_in_time(order) else ([], [])
        return attempt["state"], (emails, events) == wanted

    chosen = orders(BEFORE_THE_PAGE)
    assert len(chosen) == 360
    assert list(await ends(chosen, run)) == [("lapsed", True)]


async def test_a_payment_told_of_in_any_order_succeeds_once(payments: Payments, till: Player) -> None:
    async def run(order: tuple[str, ...]) -> tuple[Any, ...]:
        ana = player()
        told = bookings_records(ana)
        await till.play([told["profile"], told["first held"]])
        told |= webhooks(await charged(payments, ana))
        await till.play(told[kind] for kind in order)
        return await end(payments, ana)

    chosen = orders(AFTER_THE_CHARGE)
    assert len(chosen) == 360
    charged_once = {"pages": 1, "charges": 1, "orders": 1, "quarantined": 0, "opened": 1, "succeeded": 1}
    assert list(await ends(chosen, run)) == [("paid", *charged_once.items())]


async def charged(payments: Payments, ana: Customer) -> Order:
    """As Polar has it; nobody has told us yet."""
    checkout_id = (await payments.attempt(ana))["checkout_id"]
    await payments.standin.pay(checkout_id)
    return (await payments.polar.client.orders.list(checkout_id=checkout_id)).items[0]


def new_address(ana: Customer) -> str:
    return ana.email.replace("@", "@new.")


def new_address_in_time(order: tuple[str, ...]) -> bool:
    """The first copy of the hold that finds any address takes it; holds that find none wait until all was told."""
    asked = (place for place, kind in enumerate(order) if kind.startswith("held"))
    known = (order[:place] for place in asked)
    return "new address" in next((seen for seen in known if {"profile", "new address"} & set(seen)), order)


def page_in_time(order: tuple[str, ...]) -> bool:
    """Whether a hold with an address came before the news that nothing is to be paid."""
    before = order[: order.index("confirmed")]
    asked = (place for place, kind in enumerate(before) if kind.startswith("held"))
    return any({"profile", "new address"} & set(before[:place]) for place in asked)


def bookings_records(ana: Customer) -> dict[str, Any]:
    confirmed = BookingConfirmed(
        **ana.held.model_dump() | {"status": "confirmed", "version": 2, "hold_expires_at": None}
    )
    return {
        "profile": record(ana.profile, str(uuid4())),
        "new address": record(ana.profile.model_copy(update={"email": new_address(ana), "version": 2}), str(uuid4())),
        "first held": record(ana.held, str(uuid4())),
        "held": record(ana.held, str(uuid4())),
        "held again": record(ana.held, str(uuid4())),
        "confirmed": record(confirmed, str(uuid4())),
    }


def webhooks(order: Order) -> dict[str, Any]:
    paid = Hint(type="order.paid", data={"id": order.id, "checkout_id": order.checkout_id})
    changed = Hint(type="checkout.updated", data={"id": order.checkout_id, "status": "succeeded"})
    return {
        "page changed": record(changed, str(uuid4())),
        "paid": record(paid, str(uuid4())),
        "paid again": record(paid, str(uuid4())),
    }


class Hint(PolarWebhook):
    """Written as Polar writes it: the service itself only reads such bodies, and passes their bytes on."""

    def value(self) -> bytes:
        return self.model_dump_json(by_alias=True).encode()


async def pages(payments: Payments, ana: Customer) -> list[Any]:
    """At Polar, under either address."""
    found = [await payments.polar.client.checkouts.list(query=email) for email in (ana.email, new_address(ana))]
    return [checkout for listed in found for checkout in listed.items]


async def end(payments: Payments, ana: Customer) -> tuple[Any, ...]:
    """The attempt's state, and how much there is of everything."""
    taken = "SELECT polar_order_id FROM orders WHERE booking_id = :id"
    doubted = f"SELECT 1 FROM quarantined_orders WHERE polar_order_id IN ({taken})"
    counted = {
        "pages": len(await pages(payments, ana)),
        "charges": await payments.standin.charges(ana.booking_id),
        "orders": len(await payments.rows(taken, id=ana.booking_id)),
        "quarantined": len(await payments.rows(doubted, id=ana.booking_id)),
        "opened": len(await payments.events(PaymentCheckoutOpened, ana.booking_id)),
        "succeeded": len(await payments.events(PaymentSucceeded, ana.booking_id)),
    }
    return (await payments.attempt(ana))["state"], *counted.items()
