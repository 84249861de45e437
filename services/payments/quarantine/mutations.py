from __future__ import annotations

from typing import get_args

import structlog
from prometheus_client import Counter
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts.domain import Quote
from services.payments.history.mutations import note
from services.payments.orders.domain import Mismatch, Order
from services.payments.quarantine.tables import QuarantinedOrder

log = structlog.get_logger()

QUARANTINED = Counter("courtside_orders_quarantined_total", "Paid orders that fit no payment attempt", ["reason"])
for _reason in get_args(Mismatch):  # from the start, so that the first of each is an increase: the alarm is about those
    QUARANTINED.labels(_reason)


async def quarantine(work: UnitOfWork, order: Order, reason: Mismatch, quote: Quote | None, actor: str) -> bool:
    """Once for each order and reason: whether it was new. Raises the alarm."""
    kept = insert(QuarantinedOrder).values(
        id=uuid7(),
        polar_order_id=order.id,
        reason=reason,
        checkout_id=order.checkout_id,
        status=order.status,
        amount_minor=order.total_minor,
        currency=order.currency,
        attempt_id=quote and quote.attempt_id,
        booking_id=quote and quote.booking_id,
        found_at=work.now,
    )
    if await work.session.scalar(kept.on_conflict_do_nothing().returning(QuarantinedOrder.id)) is None:
        return False
    QUARANTINED.labels(reason).inc()
    log.error("order quarantined", reason=reason, order_id=order.id, checkout_id=order.checkout_id)
    if quote:
        await note(work, quote.attempt_id, "quarantined", actor, order_id=order.id, reason=reason)
    return True


async def release(work: UnitOfWork, order_id: str) -> bool:
    """Nobody need look at it any more. Whether somebody had to."""
    waiting = (QuarantinedOrder.polar_order_id == order_id) & QuarantinedOrder.settled_at.is_(None)
    settled = update(QuarantinedOrder).where(waiting).values(settled_at=work.now)
    return bool((await work.session.scalars(settled.returning(QuarantinedOrder.id))).all())
