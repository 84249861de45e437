from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.bookings.domain import Booking, BookingNotFound
from services.booking.bookings.tables import bookings
from services.chassis.auth import Principal


async def visible(session: AsyncSession, booking_id: UUID, caller: Principal, *, lock: bool = False) -> Booking:
    """A player's own booking, or any for staff. Somebody else's does not exist for a player."""
    found = select(Booking).where(bookings.c.id == booking_id)
    if caller.role == "player":
        found = found.where(bookings.c.user_id == caller.user_id)
    booking = await session.scalar(found.with_for_update() if lock else found)
    if booking is None:
        raise BookingNotFound("There is no such booking of yours.", booking_id=str(booking_id))
    return booking


async def locked(session: AsyncSession, booking_id: UUID) -> Booking | None:
    """The row is locked until the transaction ends, so events of one booking are written one after the other."""
    return await session.scalar(select(Booking).where(bookings.c.id == booking_id).with_for_update())
