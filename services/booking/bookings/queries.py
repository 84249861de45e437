from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.bookings.domain import Booking, BookingNotFound
from services.booking.bookings.listing import Listing
from services.booking.bookings.tables import bookings
from services.chassis.auth import Principal

CALENDAR_PAST = timedelta(days=180)
CALENDAR_ENTRIES = 500
"""Some 200 kB of iCalendar."""


async def visible(session: AsyncSession, booking_id: UUID, caller: Principal, *, lock: bool = False) -> Booking:
    """A player's own booking, or any for staff. Somebody else's does not exist for a player."""
    found = select(Booking).where(bookings.c.id == booking_id)
    if caller.role == "player":
        found = found.where(bookings.c.user_id == caller.user_id)
    booking = await session.scalar(found.with_for_update() if lock else found)
    if booking is None:
        raise BookingNotFound("There is no such booking of yours.", booking_id=str(booking_id))
    return booking


async def page(session: AsyncSession, listing: Listing) -> tuple[list[Booking], str | None]:
    """By start, and the cursor of the next page if there is one. One statement, whatever the number of rows."""
    by_start = select(Booking).where(listing.where()).order_by(bookings.c.starts_at, bookings.c.id)
    return listing.cut(list(await session.scalars(by_start.limit(listing.filters.limit + 1))))


async def for_calendar(session: AsyncSession, user_id: UUID, now: datetime) -> list[Booking]:
    """What a player's calendar shows: the latest of the last half year and all to come, cancelled ones too, so that they vanish there."""
    mine = (bookings.c.user_id == user_id) & (bookings.c.starts_at > now - CALENDAR_PAST)
    shown = select(Booking).where(mine, bookings.c.status != "expired").order_by(bookings.c.starts_at.desc())
    return list(await session.scalars(shown.limit(CALENDAR_ENTRIES)))


async def locked(session: AsyncSession, booking_id: UUID) -> Booking | None:
    """The row is locked until the transaction ends, so events of one booking are written one after the other."""
    return await session.scalar(select(Booking).where(bookings.c.id == booking_id).with_for_update())
