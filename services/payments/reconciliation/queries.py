from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.checkouts import queries as checkouts
from services.payments.orders import queries as orders
from services.payments.orders.domain import NO_MONEY_YET, Order
from services.payments.quarantine import queries as quarantine
from services.payments.reconciliation.domain import (
    EVERYTHING_EVERY,
    FOUND_IN_FULL,
    OVERDUE,
    PATIENCE,
    SETTLES_WITHIN,
    Compared,
    Difference,
    Repair,
)
from services.payments.reconciliation.tables import Reconciliation
from services.payments.refunds import queries as refunds
from services.payments.refunds.domain import PolarRefund, state_of

SHOWN = 20


ENDED = Reconciliation.ended_at.is_not(None)
GOOD = ENDED & Reconciliation.failure.is_(None)


async def compared(session: AsyncSession, now: datetime) -> Sequence[Compared]:
    """Comparisons of the last two days that came to a good end, the oldest first."""
    columns = select(Reconciliation.since, Reconciliation.started_at)
    recent = columns.where(GOOD, Reconciliation.started_at > now - 2 * EVERYTHING_EVERY)
    return [Compared(*row) for row in await session.execute(recent.order_by(Reconciliation.started_at))]


async def latest(session: AsyncSession, number: int = SHOWN) -> Sequence[Reconciliation]:
    found = select(Reconciliation).order_by(Reconciliation.started_at.desc(), Reconciliation.id.desc()).limit(number)
    return (await session.scalars(found)).all()


async def standing(session: AsyncSession, now: datetime) -> Counter[str]:
    """How many differences of each kind stand. One that failed may have missed some: it adds to those before it, and takes none away."""
    good, latest = await _last(session, GOOD), await _last(session, ENDED)
    in_full = await _last(session, GOOD & Reconciliation.since.is_(None))
    counted = _kinds(good)
    if latest and latest.failure:
        counted |= _kinds(latest)
    counted |= Counter({kind: number for kind, number in _kinds(in_full).items() if kind in FOUND_IN_FULL})
    counted[OVERDUE] = await _overdue(session, good.started_at if good else None, now)
    return counted


async def _last(session: AsyncSession, wanted: ColumnElement[bool]) -> Reconciliation | None:
    return await session.scalar(select(Reconciliation).where(wanted).order_by(Reconciliation.ended_at.desc()).limit(1))


def _kinds(comparison: Reconciliation | None) -> Counter[str]:
    return Counter(str(one["kind"]) for one in comparison.differences) if comparison else Counter()


async def _overdue(session: AsyncSession, good_at: datetime | None, now: datetime) -> int:
    failed = Reconciliation.failure.is_not(None) | (~ENDED & (Reconciliation.started_at < now - PATIENCE))
    counted = select(func.count()).select_from(Reconciliation).where(failed)
    if good_at:
        counted = counted.where(Reconciliation.started_at > good_at)
    return await session.scalar(counted) or 0


async def one(session: AsyncSession, reconciliation_id: UUID) -> Reconciliation | None:
    return await session.get(Reconciliation, reconciliation_id)


async def other_orders(session: AsyncSession, page: Sequence[Order]) -> dict[str, Repair]:
    """Those of a page of Polar's that we do not know, or of which we think that another sum has gone back."""
    page = [order for order in page if order.status not in NO_MONEY_YET]
    ids = [order.id for order in page]
    known = await orders.known_among(session, ids) | await quarantine.known_among(session, ids)
    foreign = await quarantine.foreign_among(session, ids)
    gone = await refunds.refunded_among(session, ids)
    found: dict[str, Repair] = {}
    for order in page:
        if order.id not in known:
            found[order.id] = "order taken up"
        elif order.id in foreign:
            if not foreign[order.id] and order.refunded_minor >= order.total_minor:
                found[order.id] = "refunds taken up"
        elif gone.get(order.id, 0) != order.refunded_minor:
            found[order.id] = "refunds taken up"
    return found


async def other_refunds(session: AsyncSession, page: Sequence[tuple[str, PolarRefund]]) -> dict[str, Repair]:
    """Orders with a refund that is in another state at Polar than here."""
    known = await refunds.states_among(session, [refund.id for _, refund in page])
    foreign = await quarantine.foreign_among(session, [order_id for order_id, _ in page])
    return {
        order_id: "refunds taken up"
        for order_id, refund in page
        if order_id not in foreign and known.get(refund.id) != state_of(refund.status)
    }


async def left(session: AsyncSession, now: datetime) -> list[Difference]:
    """What no comparison mends."""
    found = [
        Difference("order quarantined", one.polar_order_id, one.reason) for one in await quarantine.unsettled(session)
    ]
    found += [
        Difference("refund owed", str(one.refund_id), f"{one.owed_minor} in minor units: {one.failure}")
        for one in await refunds.open_debts(session)
    ]
    for one in await refunds.unfinished_since(session, now - PATIENCE):
        if one.state != "pending" or one.requested_at < now - SETTLES_WITHIN:
            found.append(Difference("refund stuck", str(one.id), one.state))
    found += [Difference("page stuck", str(one)) for one in await checkouts.stuck(session, now - PATIENCE)]
    return found
