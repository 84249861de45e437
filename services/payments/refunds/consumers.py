"""Kafka in: money must go back. Intent, call, result, as with a checkout; Polar is looked at before anything is asked of it.

Polar knows no idempotency key, so no two processes may call side by side, and nobody calls on an old look: the look comes after the
intent, whose owner is confirmed after the look, and what was confirmed too long ago is not called any more.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

from courtside_contracts.payment import PaymentRefundRequested
from services.chassis.consuming import Delivery
from services.chassis.crash_points import reach
from services.chassis.retrying import Transient
from services.payments.actions import Polar
from services.payments.failures import DoneBefore, NotDone, Refused
from services.payments.history.domain import PAYMENTS
from services.payments.orders.mutations import take_up
from services.payments.refunds import actions, mutations
from services.payments.refunds.domain import Call, CallTakenOver, OtherRefundUnderWay, Sighting

FRESH = 0.5
"""Of its rest: when this much has gone by, a call is not begun any more. The other half is for Polar to carry it out and to list it."""


async def pay_back(delivery: Delivery[PaymentRefundRequested], polar: Polar, rest: timedelta) -> None:
    """`rest` is how long a call that may have been made is left alone before it is looked up, the call itself within. A refusal ends the
    refund: money is owed, and a person must see to it.
    """
    refund_id = delivery.event.refund_id
    async with delivery.unit_of_work() as work:
        call = await mutations.begin(work, refund_id, rest)
    if call is None:
        return
    reach("refund.begun")
    try:
        seen = await _look(call, polar)
        if net_minor := _to_ask(call, seen):
            until = time.monotonic() + rest.total_seconds() * FRESH
            async with delivery.unit_of_work() as work:
                call = await mutations.go_ahead(work, call)
            seen = await _ask(replace(call, until_monotonic_seconds=until), polar, net_minor, seen)
    except (NotDone, OtherRefundUnderWay, CallTakenOver):
        async with delivery.unit_of_work() as work:
            await mutations.put_back(work, call)
        raise
    except Refused as refusal:
        async with delivery.once() as work:
            await mutations.give_up(work, call, str(refusal))
        return
    reach("refund.made")
    async with delivery.once() as work:
        await take_up(work, seen, polar.product_id, PAYMENTS)
        await mutations.end_without_money(work, refund_id)
    reach("refund.recorded")


async def _look(call: Call, polar: Polar) -> Sighting:
    try:
        return await actions.look(polar, call.order_id)
    except Transient as error:
        raise NotDone(str(error), error.retry_after) from None


def _to_ask(call: Call, seen: Sighting) -> int:
    """Without its tax, in minor units. 0: ours is among its refunds, or nothing is left to give back."""
    net_minor = seen.order.net(call.amount_minor, call.rounded_minor)
    if net_minor == 0 or any(one.request_id == call.refund_id for one in seen.refunds):
        return 0
    if any(one.status == "pending" for one in seen.refunds):
        raise OtherRefundUnderWay("Polar has another refund of this order under way")
    return net_minor


async def _ask(call: Call, polar: Polar, net_minor: int, seen: Sighting) -> Sighting:
    """The order with our refund among its others, unless nothing was left to give back. Raises what `failures` says."""
    try:
        made = await actions.create(polar, call, net_minor)
    except DoneBefore:
        return await actions.look(polar, call.order_id)
    return Sighting(seen.order, (*seen.refunds, made))
