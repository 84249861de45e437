from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.orders.tables import PaidOrder


async def recorded(session: AsyncSession, polar_order_id: str) -> PaidOrder | None:
    return await session.scalar(select(PaidOrder).where(PaidOrder.polar_order_id == polar_order_id))


async def recorded_of(session: AsyncSession, attempt_ids: Sequence[UUID]) -> Sequence[PaidOrder]:
    """The orders that paid for these attempts, the oldest first."""
    found = select(PaidOrder).where(PaidOrder.attempt_id.in_(attempt_ids)).order_by(PaidOrder.paid_at, PaidOrder.id)
    return (await session.scalars(found)).all()


async def known_among(session: AsyncSession, polar_order_ids: Sequence[str]) -> set[str]:
    found = select(PaidOrder.polar_order_id).where(PaidOrder.polar_order_id.in_(polar_order_ids))
    return set((await session.scalars(found)).all())


async def ids_recorded(session: AsyncSession, before: datetime) -> set[str]:
    """For the full comparison with Polar: some megabytes for a hundred thousand orders."""
    found = select(PaidOrder.polar_order_id).where(PaidOrder.recorded_at < before)
    return set((await session.scalars(found)).all())
