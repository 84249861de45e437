from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.bookings.domain import Booking, BookingNotFound
from services.booking.bookings.tables import bookings


async def own(session: AsyncSession, booking_id: UUID, user_id: UUID) -> Booking:
    """A player's own booking. Somebody else's does not exist for them."""
    found = await session.scalar(select(Booking).where(bookings.c.id == booking_id, bookings.c.user_id == user_id))
    if found is None:
        raise BookingNotFound("There is no such booking of yours.", booking_id=str(booking_id))
    return found


async def locked(session: AsyncSession, booking_id: UUID) -> Booking | None:
    """The row is locked until the transaction ends, so events of one booking are written one after the other."""
    return await session.scalar(select(Booking).where(bookings.c.id == booking_id).with_for_update())
