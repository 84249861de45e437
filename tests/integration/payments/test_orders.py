"""Polar says that somebody paid: it is asked again, compared with the frozen price, and told on once."""

from __future__ import annotations

import asyncio

import pytest
from polar.v2026_10.outputs import Order

from courtside_contracts.payment import PaymentSucceeded
from services.chassis.retrying import Fatal
from services.payments.checkouts.actions import create
from services.payments.checkouts.domain import Intent, Quote
from services.payments.webhooks.consumers import look_where_told
from services.payments.webhooks.domain import PolarWebhook
from tests.integration.payments.builders import Payments, Player, player


async def test_a_payment_over_the_frozen_price_succeeds(payments: Payments) -> None:
    ana = player()
    order = await payments.paid(ana)
    await payments.told(order)

    [event] = await payments.events(PaymentSucceeded, ana.booking_id)
    assert (event.order_id, event.amount_minor, event.currency) == (order.id, 2400, "EUR")
    assert event.paid_at.isoformat(timespec="microseconds")[:26] == order.created_at[:26]
    assert (await payments.attempt(ana))["state"] == "paid"
    assert await payments.standin.charges(ana.booking_id) == 1


async def test_a_payment_told_of_five_times_at_once_succeeds_once(payments: Payments) -> None:
    ana = player()
    order = await payments.paid(ana)
    await asyncio.gather(*(payments.told(order) for _ in range(5)))

    assert len(await payments.events(PaymentSucceeded, ana.booking_id)) == 1
    assert len(await payments.rows("SELECT 1 FROM orders WHERE booking_id = :id", id=ana.booking_id)) == 1
    assert await quarantined(payments, order) == []


async def test_a_hint_is_not_believed(payments: Payments) -> None:
    """The webhook says paid; Polar itself knows of no such order."""
    hint = PolarWebhook(type="order.paid", data={"id": "00000000-0000-4000-8000-000000000000", "status": "paid"})
    with pytest.raises(Fatal):
        await look_where_told(payments.delivery(hint), payments.polar)


@pytest.mark.parametrize(
    ("tampered", "reason"),
    [
        ("amount_minor = amount_minor + 100", "other-amount"),
        ("currency = 'GBP'", "other-currency"),
        ("booking_id = gen_random_uuid()", "other-metadata"),
    ],
)
async def test_a_payment_that_differs_from_the_quote_confirms_nothing(
    payments: Payments, tampered: str, reason: str
) -> None:
    ana = player()
    order = await payments.paid(ana)
    await payments.change(
        f"UPDATE payment_attempts SET {tampered} WHERE checkout_id = :checkout_id", checkout_id=order.checkout_id
    )
    for _ in range(2):
        await payments.told(order)

    assert await quarantined(payments, order) == [reason]
    assert await payments.rows("SELECT 1 FROM orders WHERE polar_order_id = :id", id=order.id) == []
    assert await payments.events(PaymentSucceeded, ana.booking_id) == []


async def test_a_payment_on_a_page_that_is_not_ours_confirms_nothing(payments: Payments) -> None:
    """Somebody else with our token copied the metadata of a booking."""
    ana = player()
    await payments.opened(ana)
    order = await paid_elsewhere(payments, ana)
    await payments.told(order)

    assert await quarantined(payments, order) == ["other-checkout"]
    assert await payments.events(PaymentSucceeded, ana.booking_id) == []
    assert (await payments.attempt(ana))["state"] == "open"


@pytest.mark.parametrize("kind", ["order.created", "order.updated", "checkout.updated", "a.thing.of.next.year"])
async def test_nothing_but_order_paid_is_money(payments: Payments, kind: str) -> None:
    ana = player()
    order = await payments.paid(ana)
    hint = PolarWebhook(type=kind, data={"id": order.id, "checkout_id": order.checkout_id})
    await look_where_told(payments.delivery(hint), payments.polar)
    assert await payments.events(PaymentSucceeded, ana.booking_id) == []


async def quarantined(payments: Payments, order: Order) -> list[str]:
    rows = await payments.rows("SELECT reason FROM quarantined_orders WHERE polar_order_id = :id", id=order.id)
    return [row["reason"] for row in rows]


async def paid_elsewhere(payments: Payments, ana: Player) -> Order:
    attempt = await payments.attempt(ana)
    quote = Quote(attempt["id"], attempt["booking_id"], attempt["amount_minor"], attempt["currency"])
    made = await create(payments.polar, Intent(quote, ana.email, repeated=False))
    await payments.standin.pay(made.id)
    return (await payments.polar.client.orders.list(checkout_id=made.id)).items[0]
