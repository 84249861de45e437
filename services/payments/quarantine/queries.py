from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.checkouts.queries import Covers, of_venues
from services.payments.quarantine.listing import Filters
from services.payments.quarantine.tables import QuarantinedOrder

OPEN_MAX = 1_000
"""More is a catastrophe that no list helps with."""


async def doubted_of(session: AsyncSession, attempt_ids: Sequence[UUID]) -> Sequence[QuarantinedOrder]:
    """Money that names these attempts and confirms nothing, the oldest first."""
    found = select(QuarantinedOrder).where(QuarantinedOrder.attempt_id.in_(attempt_ids))
    return (await session.scalars(found.order_by(QuarantinedOrder.found_at))).all()


async def known_among(session: AsyncSession, polar_order_ids: Sequence[str]) -> set[str]:
    found = select(QuarantinedOrder.polar_order_id).where(QuarantinedOrder.polar_order_id.in_(polar_order_ids))
    return set((await session.scalars(found)).all())


async def foreign_among(session: AsyncSession, polar_order_ids: Sequence[str]) -> Mapping[str, bool]:
    """Those that name no payment of ours, and whether all of each had gone back: of their refunds nothing else is kept."""
    foreign = QuarantinedOrder.polar_order_id.in_(polar_order_ids) & QuarantinedOrder.attempt_id.is_(None)
    found = select(QuarantinedOrder.polar_order_id, QuarantinedOrder.settled_at.is_not(None)).where(foreign)
    return {row[0]: row[1] for row in await session.execute(found)}


async def unsettled(session: AsyncSession) -> Sequence[QuarantinedOrder]:
    found = select(QuarantinedOrder).where(QuarantinedOrder.settled_at.is_(None)).order_by(QuarantinedOrder.found_at)
    return (await session.scalars(found.limit(OPEN_MAX))).all()


async def page(
    session: AsyncSession, filters: Filters, covers: Covers | None
) -> tuple[Sequence[QuarantinedOrder], str | None]:
    """The oldest first, and the cursor of the next page if there is one. With `covers`, those of its venues only."""
    found = select(QuarantinedOrder).where(filters.where())
    if covers:
        found = found.where(of_venues(QuarantinedOrder.attempt_id, covers))
    ordered = found.order_by(QuarantinedOrder.found_at, QuarantinedOrder.id).limit(filters.limit + 1)
    return filters.cut((await session.scalars(ordered)).all())
