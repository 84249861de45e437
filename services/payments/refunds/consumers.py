"""Kafka in: money must go back. Intent, call, result, as with a checkout; Polar is looked at before anything is asked of it."""

from __future__ import annotations

from datetime import timedelta

from courtside_contracts.payment import PaymentRefundRequested
from services.chassis.consuming import Delivery
from services.chassis.retrying import Transient
from services.payments.actions import Polar
from services.payments.failures import DoneBefore, NotDone, Refused
from services.payments.history.domain import PAYMENTS
from services.payments.orders.mutations import take_up
from services.payments.refunds import actions, mutations
from services.payments.refunds.domain import Call, OtherRefundUnderWay, Sighting


async def pay_back(delivery: Delivery[PaymentRefundRequested], polar: Polar, rest: timedelta) -> None:
    """`rest` is how long a call that broke off is left alone before it is looked up. A refusal ends the refund: money is owed, and a
    person must see to it.
    """
    refund_id = delivery.event.refund_id
    async with delivery.unit_of_work() as work:
        call = await mutations.begin(work, refund_id, rest)
    if call is None:
        return
    try:
        seen = await _carry_out(call, polar)
    except (NotDone, OtherRefundUnderWay):
        async with delivery.unit_of_work() as work:
            await mutations.put_back(work, refund_id)
        raise
    except Refused as refusal:
        async with delivery.once() as work:
            await mutations.give_up(work, refund_id, str(refusal))
        return
    async with delivery.once() as work:
        await take_up(work, seen, polar.product_id, PAYMENTS)
        await mutations.end_without_money(work, refund_id)


async def _carry_out(call: Call, polar: Polar) -> Sighting:
    """The order, and its refunds with ours among them, unless nothing was left to give back. Raises what `failures` says."""
    try:
        seen = await actions.look(polar, call.order_id)
    except Transient as error:
        raise NotDone(str(error), error.retry_after) from None
    net_minor = seen.order.net(call.amount_minor)
    if net_minor == 0 or any(one.request_id == call.refund_id for one in seen.refunds):
        return seen
    if any(one.status == "pending" for one in seen.refunds):
        raise OtherRefundUnderWay("Polar has another refund of this order under way")
    try:
        made = await actions.create(polar, call, net_minor)
    except DoneBefore:
        return await actions.look(polar, call.order_id)
    return Sighting(seen.order, (*seen.refunds, made))
