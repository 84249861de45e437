from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.bookings.domain import Booking, BookingNotFound
from services.booking.bookings.tables import bookings
from services.booking.users.rights import rights_of
from services.chassis.auth import Principal


async def visible(session: AsyncSession, booking_id: UUID, caller: Principal, *, lock: bool = False) -> Booking:
    """The caller's own booking, or one of a venue they work at. Somebody else's does not exist for them."""
    rights = await rights_of(session, caller)
    found = select(Booking).where(bookings.c.id == booking_id, rights.covers(bookings.c.user_id, bookings.c.venue_id))
    booking = await session.scalar(found.with_for_update() if lock else found)
    if booking is None:
        raise BookingNotFound("There is no such booking of yours.", booking_id=str(booking_id))
    return booking


async def locked(session: AsyncSession, booking_id: UUID) -> Booking | None:
    """The row is locked until the transaction ends, so events of one booking are written one after the other."""
    return await session.scalar(select(Booking).where(bookings.c.id == booking_id).with_for_update())


async def active_of(session: AsyncSession, user_id: UUID, now: datetime) -> Sequence[Booking]:
    """What a player has still to play or to pay, soonest first. A game that is over waits for a cron only."""
    live = bookings.c.status.in_(("held", "confirmed")) & (bookings.c.ends_at > now)
    found = select(Booking).where(bookings.c.user_id == user_id, live).order_by(bookings.c.starts_at)
    return (await session.scalars(found)).all()
