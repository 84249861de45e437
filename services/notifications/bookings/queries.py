from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from courtside_contracts.booking import BookingEvent
from services.notifications.bookings.tables import BookingRow


async def known(session: AsyncSession, booking_id: UUID) -> BookingEvent | None:
    """The booking's state as it was told last; `None` before anything was."""
    row = await session.get(BookingRow, booking_id)
    return BookingEvent.model_validate(row.told) if row else None


async def hold_news(session: AsyncSession, booking_id: UUID) -> int:
    """The version of the booking's latest news. Nobody decides anything about this booking until the caller's transaction ends."""
    row = select(BookingRow.news_version).where(BookingRow.booking_id == booking_id).with_for_update()
    return (await session.scalar(row)) or 0


async def to_remind_of(session: AsyncSession, now: datetime, ahead: timedelta, limit: int) -> list[BookingEvent]:
    """Confirmed bookings that start within `ahead`, the soonest first, of which nobody was reminded; their rows are held.

    Not those that were made, or moved, within that time: their own mail has just said it all.
    """
    due = (BookingRow.status == "confirmed") & BookingRow.reminded_for.is_distinct_from(BookingRow.starts_at)
    soon = BookingRow.starts_at.between(now + timedelta(microseconds=1), now + ahead)
    told_long_ago = BookingRow.standing_since <= BookingRow.starts_at - ahead
    rows = (
        select(BookingRow.told)
        .where(due, soon, told_long_ago)
        .order_by(BookingRow.starts_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [BookingEvent.model_validate(told) for told in await session.scalars(rows)]
