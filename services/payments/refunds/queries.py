from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.refunds.domain import UNDER_WAY, UNFINISHED, State
from services.payments.refunds.sums import OpenDebt, open_debt
from services.payments.refunds.tables import Refund


async def attempt_of(session: AsyncSession, refund_id: UUID) -> UUID | None:
    """Whose lock to take first."""
    return await session.scalar(select(Refund.attempt_id).where(Refund.id == refund_id))


async def of_order(session: AsyncSession, polar_order_id: str) -> Sequence[Refund]:
    """As they are now, not as this session may have seen them before it had the lock."""
    found = select(Refund).where(Refund.polar_order_id == polar_order_id).order_by(Refund.requested_at, Refund.id)
    return (await session.scalars(found.execution_options(populate_existing=True))).all()


async def of_attempts(session: AsyncSession, attempt_ids: Sequence[UUID]) -> Sequence[Refund]:
    found = select(Refund).where(Refund.attempt_id.in_(attempt_ids)).order_by(Refund.requested_at, Refund.id)
    return (await session.scalars(found)).all()


async def other_is_under_way(session: AsyncSession, refund: Refund) -> bool:
    others = (Refund.polar_order_id == refund.polar_order_id) & (Refund.id != refund.id) & (Refund.origin != "polar")
    return await session.scalar(select(Refund.id).where(others, Refund.state.in_(UNDER_WAY)).limit(1)) is not None


async def refunded_among(session: AsyncSession, polar_order_ids: Sequence[str]) -> Mapping[str, int]:
    """How much of each order has gone back, in minor units; those of which nothing has are left out."""
    total = func.sum(Refund.refunded_minor)
    found = select(Refund.polar_order_id, total).where(Refund.polar_order_id.in_(polar_order_ids))
    done = found.where(Refund.state == "succeeded").group_by(Refund.polar_order_id)
    return {row[0]: int(row[1] or 0) for row in await session.execute(done)}


async def orders_unfinished(session: AsyncSession) -> Sequence[str]:
    """Orders with a refund that Polar has taken up and that may still change."""
    found = select(Refund.polar_order_id).where(Refund.state == "pending").distinct()
    return (await session.scalars(found)).all()


async def states_among(session: AsyncSession, polar_refund_ids: Sequence[str]) -> Mapping[str, State]:
    found = select(Refund.polar_refund_id, Refund.state).where(Refund.polar_refund_id.in_(polar_refund_ids))
    return {row[0]: row[1] for row in await session.execute(found) if row[0]}


async def unfinished_since(session: AsyncSession, before: datetime) -> Sequence[Refund]:
    """Refunds that should long be through, the oldest first."""
    found = select(Refund).where(Refund.state.in_(UNFINISHED), Refund.requested_at < before)
    return (await session.scalars(found.order_by(Refund.requested_at))).all()


async def open_debts(session: AsyncSession) -> Sequence[OpenDebt]:
    """Of all orders."""
    missed = select(Refund.polar_order_id).where(Refund.state == "failed", Refund.failure.is_not(None))
    found = select(Refund).where(Refund.polar_order_id.in_(missed)).order_by(Refund.polar_order_id, Refund.requested_at)
    orders = groupby((await session.scalars(found)).all(), key=lambda one: one.polar_order_id)
    return [debt for _, refunds in orders if (debt := open_debt(list(refunds)))]
