"""The decision about one order's money, made under the lock of the attempt that it names."""

from __future__ import annotations

import structlog
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts import queries as checkouts
from services.payments.checkouts.domain import Attempt, attempt_named_in
from services.payments.checkouts.mutations import settle
from services.payments.history.domain import PAYMENTS
from services.payments.history.mutations import note
from services.payments.orders import events
from services.payments.orders.domain import MONEY_IS_THERE, NO_MONEY_YET, Mismatch, Order, mismatch
from services.payments.orders.queries import recorded
from services.payments.orders.tables import PaidOrder
from services.payments.quarantine.mutations import quarantine, release
from services.payments.refunds import mutations as refunds
from services.payments.refunds.domain import Debt, Sighting

log = structlog.get_logger()


async def take_up(work: UnitOfWork, seen: Sighting, product_id: str, actor: str) -> bool:
    """What a look at one order of Polar says; whether it was news. The same look again changes nothing, and an older one after a newer
    one neither.

    `actor` is who had us look: a webhook of Polar, or the reconciler.
    """
    if seen.order.status in NO_MONEY_YET:
        return False
    attempt = await _attempt_of(work, seen.order)
    if attempt is None:
        found = await quarantine(work, seen.order, "unknown-checkout", None, actor)
        return await _release_if_gone(work, seen.order, seen.order.refunded_minor) or found
    new = await recorded(work.session, seen.order.id) is None and await _decide(
        work, seen.order, attempt, product_id, actor
    )
    gone = await refunds.take_up(work, attempt.quote, seen, actor)
    return await _release_if_gone(work, seen.order, gone.refunded_minor) or gone.news or new


async def _decide(work: UnitOfWork, order: Order, attempt: Attempt, product_id: str, actor: str) -> bool:
    if reason := mismatch(order, attempt, product_id):
        return await _doubt(work, order, attempt, reason, actor)
    await _accept(work, order, attempt, actor)
    await release(work, order.id)
    return True


async def _release_if_gone(work: UnitOfWork, order: Order, refunded_minor: int) -> bool:
    return refunded_minor >= order.total_minor and await release(work, order.id)


async def _attempt_of(work: UnitOfWork, order: Order) -> Attempt | None:
    """By the page at which it was paid; failing that, by what it says of itself."""
    attempt_id = await checkouts.attempt_at(work.session, order.checkout_id) if order.checkout_id else None
    attempt_id = attempt_id or attempt_named_in(order.metadata)
    return await checkouts.locked(work.session, attempt_id) if attempt_id else None


async def _accept(work: UnitOfWork, order: Order, attempt: Attempt, actor: str) -> None:
    """Told on only while there is money: of an order that Polar refunded in full before we heard of it, nothing is to be had."""
    quote = attempt.quote
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
    await note(work, quote.attempt_id, "paid", actor, order_id=order.id, amount_minor=order.total_minor)
    if order.status in MONEY_IS_THERE:
        work.publish(events.payment_succeeded(order, quote))


async def _doubt(work: UnitOfWork, order: Order, attempt: Attempt, reason: Mismatch, actor: str) -> bool:
    """It confirms nothing. Money at a page that was never shown goes back by itself; the rest waits for a person. Whether it was news."""
    news = await quarantine(work, order, reason, attempt.quote, actor)
    if reason == "other-checkout" and order.status in MONEY_IS_THERE:
        quote = attempt.quote
        debt = Debt(
            order_id=order.id,
            attempt_id=quote.attempt_id,
            booking_id=quote.booking_id,
            origin="payments",
            reason="paid_elsewhere",
            amount_minor=order.total_minor - order.refunded_minor,
            paid_minor=order.total_minor,
            currency=order.currency,
        )
        await refunds.request(work, debt, PAYMENTS)
    return news
