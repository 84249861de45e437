"""A booking as the API shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.booking.bookings.domain import Booking
from services.booking.bookings.life_cycle import Status
from services.booking.venues.domain import Court, Venue


class Money(BaseModel):
    """`amount` in minor units (cents) of `currency` (ISO 4217)."""

    amount: int
    currency: str


class Links(BaseModel):
    self: str
    checkout: str | None = Field(description="Where a browser is sent to pay, while the slot is held.")


class BookingOut(BaseModel):
    """Instants carry the venue's offset."""

    model_config = ConfigDict(title="Booking")

    id: UUID
    status: Status
    venue_id: UUID
    court_id: UUID
    court_name: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    price: Money
    hold_expires_at: datetime | None
    created_at: datetime
    cancel_until: datetime
    version: int
    links: Links


class MovedOut(BookingOut):
    """`price_difference.amount` is above 0 when the new slot is dearer, below when it is cheaper."""

    model_config = ConfigDict(title="RescheduledBooking")

    price_difference: Money


def etag(booking: Booking) -> str:
    return f'"{booking.version}"'


def represent(booking: Booking, venue: Venue, court: Court) -> dict[str, Any]:
    """Plain values, ready for any JSON encoder."""
    path = f"/v1/bookings/{booking.id}"
    return {
        "id": str(booking.id),
        "status": booking.status,
        "venue_id": str(venue.id),
        "court_id": str(court.id),
        "court_name": court.name,
        "starts_at": venue.local(booking.starts_at).isoformat(),
        "ends_at": venue.local(booking.ends_at).isoformat(),
        "time_zone": venue.zone.key,
        "price": {"amount": booking.price_minor, "currency": booking.currency},
        "hold_expires_at": venue.local(booking.hold_expires_at).isoformat() if booking.hold_expires_at else None,
        "created_at": venue.local(booking.created_at).isoformat(),
        "cancel_until": venue.local(booking.cancel_until).isoformat(),
        "version": booking.version,
        "links": {"self": path, "checkout": f"{path}/checkout" if booking.status == "held" else None},
    }
