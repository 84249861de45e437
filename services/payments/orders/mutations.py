"""The decision about one order's money, made under the lock of the attempt that it names."""

from __future__ import annotations

import structlog
from prometheus_client import Counter
from sqlalchemy import insert
from sqlalchemy.dialects import postgresql
from uuid_utils.compat import uuid7

from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts.domain import Quote
from services.payments.checkouts.mutations import settle
from services.payments.checkouts.queries import locked
from services.payments.orders import events
from services.payments.orders.domain import Mismatch, Order, mismatch
from services.payments.orders.queries import is_recorded
from services.payments.orders.tables import PaidOrder, QuarantinedOrder

log = structlog.get_logger()

QUARANTINED = Counter("courtside_orders_quarantined_total", "Paid orders that fit no payment attempt", ["reason"])


async def record(work: UnitOfWork, order: Order) -> None:
    """Once for each order, however often and from how many processes it is told of."""
    found = await locked(work.session, order.checkout_id) if order.checkout_id else None
    if found is None:
        await _quarantine(work, order, "unknown-checkout")
        return
    if await is_recorded(work.session, order.id):
        return
    quote, state = found
    if reason := mismatch(order, quote, state):
        await _quarantine(work, order, reason)
    else:
        await _accept(work, order, quote)


async def _accept(work: UnitOfWork, order: Order, quote: Quote) -> None:
    paid = insert(PaidOrder).values(
        id=uuid7(),
        polar_order_id=order.id,
        attempt_id=quote.attempt_id,
        booking_id=quote.booking_id,
        amount_minor=order.total_minor,
        currency=order.currency,
        paid_at=order.paid_at,
        recorded_at=work.now,
    )
    await work.session.execute(paid)
    await settle(work, quote.attempt_id)
    work.publish(events.payment_succeeded(order, quote))


async def _quarantine(work: UnitOfWork, order: Order, reason: Mismatch) -> None:
    kept = postgresql.insert(QuarantinedOrder).values(
        id=uuid7(),
        polar_order_id=order.id,
        reason=reason,
        checkout_id=order.checkout_id,
        status=order.status,
        amount_minor=order.total_minor,
        currency=order.currency,
        found_at=work.now,
    )
    if await work.session.scalar(kept.on_conflict_do_nothing().returning(QuarantinedOrder.id)):
        QUARANTINED.labels(reason).inc()
        log.error("order quarantined", reason=reason, order_id=order.id, checkout_id=order.checkout_id)
