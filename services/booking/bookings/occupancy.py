"""A booking's claims: its time on a court, and one of its player's seats. The database judges both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ARRAY, Uuid, any_, delete, literal, select
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.blocked_slots.domain import Span
from services.booking.blocked_slots.filling import fill
from services.booking.bookings.domain import Booking
from services.booking.bookings.tables import bookings, court_occupancy


async def take(session: AsyncSession, booking: Booking) -> bool:
    """False when somebody has the court. ON CONFLICT keeps racers from waiting on each other in a circle."""
    row = {
        "court_id": booking.court_id,
        "during": Range(booking.starts_at, booking.ends_at),
        "booking_id": booking.id,
    }
    taken = insert(court_occupancy).values(row).on_conflict_do_nothing().returning(court_occupancy.c.id)
    return (await session.scalar(taken)) is not None


async def release(session: AsyncSession, released: Sequence[Booking], now: datetime) -> None:
    """Their time is free, or falls to blocks that let the bookings stand. All must be locked. Two statements, however many they are."""
    ids = literal([booking.id for booking in released], ARRAY(Uuid))
    gone = delete(court_occupancy).where(court_occupancy.c.booking_id == any_(ids))
    freed = await session.execute(gone.returning(court_occupancy.c.court_id, court_occupancy.c.during))
    spans = [Span(row.court_id, row.during.lower, row.during.upper) for row in freed]
    if spans:
        await fill(session, spans, now)


async def free_seat(session: AsyncSession, booking: Booking, max_active: int) -> int | None:
    """The lowest that the player has left. Another request may be faster: the unique index shows it at the next flush."""
    live = bookings.c.status.in_(("held", "confirmed"))
    taken = await session.scalars(select(bookings.c.seat).where(bookings.c.user_id == booking.user_id, live))
    return min(set(range(1, max_active + 1)) - set(taken), default=None)
