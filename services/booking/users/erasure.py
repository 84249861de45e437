"""A user asks to be forgotten: nothing personal stays in the tables, and a tombstone has the other services forget too.

Their bookings stay, for the club's books, and point at an empty row.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select, update

from courtside_contracts.user import UserProfile
from services.booking.bookings import mutations as bookings
from services.booking.bookings import queries
from services.booking.bookings.domain import Booking
from services.booking.calendars import mutations as calendars
from services.booking.users.domain import HasActiveBookings, UserErased
from services.booking.users.tables import users, venue_staff
from services.chassis.dead_letters import erasure as dead_letters
from services.chassis.unit_of_work import UnitOfWork


async def erase(work: UnitOfWork, user_id: UUID) -> None:
    """Refused while a booking is to come. Locks bookings, then the user: whoever is booking for them right now ends before."""
    await bookings.forget_reasons(work, user_id)
    erased_at = await work.session.execute(select(users.c.erased_at).where(users.c.id == user_id).with_for_update())
    if erased_at.scalar_one() is not None:
        raise UserErased
    if active := await queries.active_of(work.session, user_id, work.now):
        raise HasActiveBookings(
            "Cancel your active bookings first; what was paid for them goes back to you.",
            bookings=[_shown(booking) for booking in active],
        )
    await calendars.close(work, user_id)
    await work.session.execute(delete(venue_staff).where(venue_staff.c.user_id == user_id))
    nobody = {"email": None, "name": None, "locale": None, "role": "player", "erased_at": work.now}
    await work.session.execute(update(users).where(users.c.id == user_id).values(**nobody, version=users.c.version + 1))
    await dead_letters.forget(work, str(user_id))
    work.publish_tombstone(UserProfile, str(user_id))


def _shown(booking: Booking) -> dict[str, str]:
    return {
        "id": str(booking.id),
        "status": booking.status,
        "starts_at": booking.starts_at.isoformat(),
        "cancel": f"/v1/bookings/{booking.id}/cancel",
    }
