"""What a booking says must go back becomes refunds: one for each order that it owes, however often it says so."""

from __future__ import annotations

from courtside_contracts.booking import BookingEvent, RefundDue
from services.chassis.retrying import Overtaken
from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts.queries import locked
from services.payments.history.domain import BOOKING
from services.payments.orders.queries import recorded
from services.payments.refunds.domain import Debt
from services.payments.refunds.mutations import request


class OrderNotRecorded(Overtaken):
    """Booking owes an order that is not known here: it was told of it by us, so it should be."""


async def owe(work: UnitOfWork, event: BookingEvent) -> None:
    for due in event.refunds_due:
        await _owe(work, due)


async def _owe(work: UnitOfWork, due: RefundDue) -> None:
    order = await recorded(work.session, due.order_id)
    if order is None:
        raise OrderNotRecorded(f"order {due.order_id} is owed by a booking, and was never recorded here")
    await locked(work.session, order.attempt_id)
    debt = Debt(
        order_id=order.polar_order_id,
        attempt_id=order.attempt_id,
        booking_id=order.booking_id,
        origin="booking",
        reason=due.reason,
        amount_minor=due.amount_minor,
        paid_minor=order.amount_minor,
        currency=order.currency,
    )
    await request(work, debt, BOOKING)
