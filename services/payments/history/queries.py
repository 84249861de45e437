from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.history.tables import HistoryEntry


async def of(session: AsyncSession, attempt_id: UUID) -> Sequence[HistoryEntry]:
    """The oldest first: one payment has a handful of steps."""
    found = select(HistoryEntry).where(HistoryEntry.attempt_id == attempt_id).order_by(HistoryEntry.at, HistoryEntry.id)
    return (await session.scalars(found)).all()
