"""Kafka in: a slot is held, so its player needs a page to pay at."""

from __future__ import annotations

from courtside_contracts.booking import BookingHeld
from services.chassis.consuming import Delivery
from services.chassis.crash_points import reach
from services.payments.actions import Polar
from services.payments.checkouts import actions, mutations
from services.payments.checkouts.domain import Checkout, Intent


async def open_checkout(delivery: Delivery[BookingHeld], polar: Polar) -> None:
    """Intent, call, result: two commits with the call between them, so that a process killed anywhere leaves one page to pay at."""
    async with delivery.unit_of_work() as work:
        intent = await mutations.intend(work, delivery.event)
    if intent is None:
        return
    checkout = await _checkout_for(intent, polar)
    reach("checkout.made")
    checkout.must_ask_for(intent.quote)
    async with delivery.once() as work:
        await mutations.show(work, intent.quote, checkout)
    reach("checkout.shown")


async def _checkout_for(intent: Intent, polar: Polar) -> Checkout:
    known = await actions.find(polar, intent) if intent.repeated else None
    return known or await actions.create(polar, intent)
