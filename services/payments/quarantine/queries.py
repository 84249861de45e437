from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.quarantine.tables import QuarantinedOrder

OPEN_MAX = 1_000
"""More is a catastrophe that no list helps with."""


async def doubted_of(session: AsyncSession, attempt_id: UUID) -> Sequence[QuarantinedOrder]:
    """Money that names this attempt and confirms nothing, the oldest first."""
    found = select(QuarantinedOrder).where(QuarantinedOrder.attempt_id == attempt_id)
    return (await session.scalars(found.order_by(QuarantinedOrder.found_at))).all()


async def known_among(session: AsyncSession, polar_order_ids: Sequence[str]) -> set[str]:
    found = select(QuarantinedOrder.polar_order_id).where(QuarantinedOrder.polar_order_id.in_(polar_order_ids))
    return set((await session.scalars(found)).all())


async def unsettled(session: AsyncSession) -> Sequence[QuarantinedOrder]:
    found = select(QuarantinedOrder).where(QuarantinedOrder.settled_at.is_(None)).order_by(QuarantinedOrder.found_at)
    return (await session.scalars(found.limit(OPEN_MAX))).all()
