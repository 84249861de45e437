from __future__ import annotations

from uuid import UUID

from services.booking.bookings.domain import StaffOnly
from services.chassis.auth import Principal


def require_staff(caller: Principal, venue_id: UUID) -> None:
    """Raises `StaffOnly` for everyone else. A member of staff works for every venue."""
    if caller.role == "player":
        raise StaffOnly("Only the club's staff may do this.", venue_id=str(venue_id))
