"""The projection of `booking.events`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import case, func, update
from sqlalchemy.dialects.postgresql import insert

from courtside_contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingEvent,
    BookingExpired,
    BookingHeld,
    BookingRescheduled,
)
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings.tables import BookingRow

NEWS = (BookingHeld, BookingConfirmed, BookingRescheduled, BookingCancelled, BookingExpired)
"""What a player must hear of. The end of a game, and a payment that comes back, leave true what was told before."""

STATE = BookingEvent.model_fields.keys()


async def follow(work: UnitOfWork, event: BookingEvent) -> bool:
    """Keep the newest version, in whatever order they come. Is this event news, or has later news been heard?

    The booking's row is held from here on: what is written and sent about one booking is decided one after the other.
    """
    is_news = isinstance(event, NEWS)
    known = await _insert_or_update(work, event, is_news=is_news)
    if known is None:
        known = await work.session.get_one(BookingRow, event.booking_id, with_for_update=True)
    if is_news and event.version > known.news_version:
        known.news_version = event.version
    return is_news and event.version == known.news_version


async def _insert_or_update(work: UnitOfWork, event: BookingEvent, *, is_news: bool) -> BookingRow | None:
    """`None` when a newer version is there already."""
    row = insert(BookingRow).values(
        booking_id=event.booking_id,
        version=event.version,
        news_version=event.version if is_news else 0,
        status=event.status,
        starts_at=event.starts_at,
        standing_since=work.now,
        told=event.model_dump(mode="json", include=set(STATE)),
    )
    newest = {name: row.excluded[name] for name in ("version", "status", "starts_at", "told")}
    goes_on = (BookingRow.status == row.excluded.status) & (BookingRow.starts_at == row.excluded.starts_at)
    changed = newest | {
        "standing_since": case((goes_on, BookingRow.standing_since), else_=row.excluded.standing_since),
        "news_version": func.greatest(BookingRow.news_version, row.excluded.news_version),
    }
    newer = BookingRow.version < row.excluded.version
    upsert = row.on_conflict_do_update(index_elements=["booking_id"], set_=changed, where=newer)
    found = await work.session.scalars(upsert.returning(BookingRow), execution_options={"populate_existing": True})
    return found.one_or_none()


async def mark_reminded(work: UnitOfWork, booking_id: UUID, starts_at: datetime) -> None:
    await work.session.execute(
        update(BookingRow).where(BookingRow.booking_id == booking_id).values(reminded_for=starts_at)
    )
