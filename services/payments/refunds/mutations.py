"""Each changes the refunds of one order, under the lock of the payment attempt that it paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts.domain import Quote
from services.payments.checkouts.queries import locked
from services.payments.history.domain import PAYMENTS, POLAR, Step
from services.payments.history.mutations import note
from services.payments.refunds import events, queries
from services.payments.refunds.domain import (
    Call,
    CallTakenOver,
    Debt,
    Gone,
    PolarRefund,
    Sighting,
    is_news,
    may_call,
    state_of,
)
from services.payments.refunds.sums import refunded_minor, vouched_minor
from services.payments.refunds.tables import Refund

log = structlog.get_logger()

FAILED = Counter("courtside_refunds_failed_total", "Refunds that Polar did not carry out: the money is still owed")
FAILURE_MAX_CHARS = 500


async def request(work: UnitOfWork, debt: Debt, actor: str) -> Refund | None:
    """Write down that money must go back, and tell of it: our own consumer carries it out. `None` when that was known, or all of the
    order has gone back or is on its way. The attempt must be locked.

    A refund of Polar's own that has not succeeded does not count: should it fail, this debt would be told of by nobody again.
    """
    known = await queries.of_order(work.session, debt.order_id)
    amount_minor = min(debt.amount_minor, debt.paid_minor - vouched_minor(known))
    if amount_minor <= 0:
        return None
    row = insert(Refund).values(
        id=uuid7(),
        polar_order_id=debt.order_id,
        attempt_id=debt.attempt_id,
        booking_id=debt.booking_id,
        origin=debt.origin,
        reason=debt.reason,
        comment=debt.comment,
        paid_minor=debt.paid_minor,
        amount_minor=amount_minor,
        currency=debt.currency,
        state="requested",
        requested_at=work.now,
        changed_at=work.now,
    )
    refund = await work.session.scalar(row.on_conflict_do_nothing().returning(Refund))
    if refund:
        await _note(work, refund, "refund_requested", actor, reason=debt.reason, comment=debt.comment)
        work.publish(events.refund_requested(refund, refunded_minor(known)))
    return refund


async def begin(work: UnitOfWork, refund_id: UUID, rest: timedelta) -> Call | None:
    """Mark that Polar is about to be asked. `None` when there is nothing to ask for any more. Raises what `may_call` raises.

    A refund that is not known here was requested before this database was restored: the reconciler lists what became of its order.
    """
    if await queries.attempt_of(work.session, refund_id) is None:
        log.error("refund unknown: was this database restored?", refund_id=str(refund_id))
        return None
    refund = await _locked(work, refund_id)
    other = await queries.other_is_under_way(work.session, refund)
    if not may_call(refund.state, refund.called_at, other, work.now, rest):
        return None
    refund.state, refund.called_at, refund.changed_at = "calling", work.now, work.now
    asked = (refund.id, refund.polar_order_id, refund.booking_id, refund.amount_minor, refund.reason, refund.comment)
    return Call(*asked, called_at=work.now, rounded_minor=await _rounded_minor(work, refund))


async def go_ahead(work: UnitOfWork, call: Call) -> Call:
    """Nothing was found at Polar, so the call is made at once: its rest counts from here. Raises `CallTakenOver`."""
    refund = await _locked(work, call.refund_id)
    if not _is_of(refund, call):
        raise CallTakenOver("another process has this refund in hand")
    refund.called_at = work.now
    return replace(call, called_at=work.now)


async def put_back(work: UnitOfWork, call: Call) -> None:
    """Nothing came of the call: it may be made again at any time."""
    refund = await _locked(work, call.refund_id)
    if _is_of(refund, call):
        refund.state, refund.called_at, refund.changed_at = "requested", None, work.now


async def give_up(work: UnitOfWork, call: Call, failure: str) -> None:
    """Polar will not do it. The debt stays, and a person must see to it."""
    refund = await _locked(work, call.refund_id)
    if _is_of(refund, call):
        await _fail(work, refund, failure[:FAILURE_MAX_CHARS], work.now, PAYMENTS)


async def end_without_money(work: UnitOfWork, refund_id: UUID) -> None:
    """Nothing was left to give back: others had done it. Told on to nobody, since theirs was."""
    refund = await _locked(work, refund_id)
    if refund.state == "calling":
        refund.state, refund.refunded_minor, refund.changed_at = "succeeded", 0, work.now
        await _note(work, refund, "refunded", PAYMENTS)


async def take_up(work: UnitOfWork, quote: Quote, seen: Sighting, actor: str) -> Gone:
    """What Polar says of the refunds of one order, ours and its own. The attempt must be locked."""
    news = False
    known = list(await queries.of_order(work.session, seen.order.id))
    for told in sorted(seen.refunds, key=lambda one: one.changed_at):
        refund = _among(known, told)
        if refund is None and told.status in ("pending", "succeeded"):
            refund = _begun_by_polar(quote, seen, told, work.now)
            work.session.add(refund)
            known.append(refund)
        if refund is not None and is_news(refund.state, refund.polar_changed_at, told):
            await _follow(work, refund, told, known, actor)
            news = True
    return Gone(refunded_minor(known), news)


def _is_of(refund: Refund, call: Call) -> bool:
    return refund.state == "calling" and refund.called_at == call.called_at


async def _rounded_minor(work: UnitOfWork, refund: Refund) -> int:
    """A cent for each refund before it, when this one and those come to all that was paid."""
    known = await queries.of_order(work.session, refund.polar_order_id)
    others = [one for one in known if one.id != refund.id and one.state == "succeeded"]
    return len(others) if refund.amount_minor + refunded_minor(others) >= refund.paid_minor else 0


async def _locked(work: UnitOfWork, refund_id: UUID) -> Refund:
    """The attempt first, as everywhere: then nobody else changes its refunds."""
    attempt_id = await queries.attempt_of(work.session, refund_id)
    assert attempt_id is not None, "it was begun, and refunds are never deleted"
    await locked(work.session, attempt_id)
    return await work.session.get_one(Refund, refund_id, populate_existing=True)


def _among(known: Sequence[Refund], told: PolarRefund) -> Refund | None:
    by_id = (one for one in known if one.polar_refund_id == told.id)
    by_request = (one for one in known if one.id == told.request_id and one.polar_refund_id is None)
    return next(by_id, None) or next(by_request, None)


def _begun_by_polar(quote: Quote, seen: Sighting, told: PolarRefund, now: datetime) -> Refund:
    return Refund(
        id=uuid7(),
        polar_order_id=seen.order.id,
        attempt_id=quote.attempt_id,
        booking_id=quote.booking_id,
        origin="polar",
        reason="by_provider",
        comment=told.reason,
        paid_minor=seen.order.total_minor,
        amount_minor=told.amount_minor,
        currency=told.currency,
        state="requested",
        requested_at=now,
        changed_at=now,
    )


async def _follow(work: UnitOfWork, refund: Refund, told: PolarRefund, known: Sequence[Refund], actor: str) -> None:
    refund.polar_refund_id, refund.polar_changed_at, refund.changed_at = told.id, told.changed_at, work.now
    match state_of(told.status):
        case "pending":
            refund.state = "pending"
            await _note(work, refund, "refund_pending", actor)
        case "succeeded":
            refund.state, refund.refunded_minor, refund.failure = "succeeded", told.amount_minor, None
            await _note(work, refund, "refunded", actor)
            work.publish(events.refunded(refund, refunded_minor(known), told.changed_at))
        case _:
            await _fail(work, refund, told.status, told.changed_at, actor, refunded_minor(known))


async def _fail(
    work: UnitOfWork, refund: Refund, failure: str, at: datetime, actor: str = POLAR, gone_minor: int = 0
) -> None:
    """Raises the alarm, unless nobody counts on the money: Polar began it by itself, and it never came to anything.

    A refund that had succeeded may fail too: then what was thought to be gone is owed again.
    """
    counted_on = refund.origin != "polar" or refund.refunded_minor is not None
    gone_minor -= refund.refunded_minor or 0
    refund.state, refund.refunded_minor, refund.changed_at = "failed", None, work.now
    await _note(work, refund, "refund_failed", actor, failure=failure)
    if counted_on:
        refund.failure = failure
        FAILED.inc()
        log.error("refund failed", refund_id=str(refund.id), order_id=refund.polar_order_id, failure=failure)
        work.publish(events.refund_failed(refund, gone_minor, at))


async def _note(work: UnitOfWork, refund: Refund, step: Step, actor: str, **details: Any) -> None:
    told = {"refund_id": str(refund.id), "order_id": refund.polar_order_id, "amount_minor": refund.amount_minor}
    await note(work, refund.attempt_id, step, actor, **told, **details)
