"""Bookings as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from services.booking.bookings.domain import Booking
from services.booking.bookings.life_cycle import Status
from services.booking.venues.domain import Court, Venue
from services.chassis.instants import Rfc3339

EXAMPLE: dict[str, JsonValue] = {
    "id": "019ab1d0-5c11-7c3e-9a53-0c1f5a1b2c3d",
    "status": "held",
    "venue_id": "019ab1d0-0c0a-7000-8000-000000000001",
    "court_id": "5a1c6f2e-8f5e-5d0b-9f3b-2f6f0f6a7c11",
    "court_name": "Pista 1 · Central",
    "user_id": "0f6c7f4e-2f50-4d0f-8a52-3f1f7f0c9d21",
    "starts_at": "2026-11-28T18:30:00+01:00",
    "ends_at": "2026-11-28T20:00:00+01:00",
    "time_zone": "Europe/Madrid",
    "price": {"amount": 3600, "currency": "EUR"},
    "hold_expires_at": "2026-11-20T10:15:00+01:00",
    "created_at": "2026-11-20T10:00:00+01:00",
    "cancel_until": "2026-11-27T18:30:00+01:00",
    "version": 1,
    "links": {
        "self": "/v1/bookings/019ab1d0-5c11-7c3e-9a53-0c1f5a1b2c3d",
        "checkout": "/v1/bookings/019ab1d0-5c11-7c3e-9a53-0c1f5a1b2c3d/checkout",
    },
}


class HoldIn(BaseModel):
    """Which slot. Its length and its price are the court's, never the client's."""

    model_config = ConfigDict(extra="forbid", title="Hold")

    court_id: UUID
    starts_at: Rfc3339 = Field(description="RFC 3339 with an offset", examples=["2026-11-28T18:30:00+01:00"])
    without_payment: bool = Field(default=False, description="Confirmed at once, for nothing. Staff only.")
    user_id: UUID | None = Field(
        default=None,
        description="The player, whose booking it is and whose limit counts. Staff only; else it is yours.",
    )


class CancelIn(BaseModel):
    model_config = ConfigDict(extra="forbid", title="Cancel")

    reason: str | None = Field(
        default=None, max_length=500, description="Staff tells the player; a player may leave it out."
    )


class RescheduleIn(BaseModel):
    """Where to. The old slot and the player's seat do not count against the new one."""

    model_config = ConfigDict(extra="forbid", title="Reschedule")

    court_id: UUID
    starts_at: Rfc3339 = Field(description="RFC 3339 with an offset", examples=["2026-11-29T18:30:00+01:00"])


class Money(BaseModel):
    """`amount` in minor units (cents) of `currency` (ISO 4217)."""

    amount: int
    currency: str


class Links(BaseModel):
    self: str
    checkout: str | None = Field(description="Where a browser is sent to pay, while the slot is held.")


class BookingOut(BaseModel):
    """Instants carry the venue's offset."""

    model_config = ConfigDict(title="Booking", json_schema_extra={"examples": [EXAMPLE]})

    id: UUID
    status: Status
    venue_id: UUID
    court_id: UUID
    court_name: str
    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    price: Money
    hold_expires_at: datetime | None
    created_at: datetime
    cancel_until: datetime
    version: int
    links: Links


class BookingsOut(BaseModel):
    """By start. `next_cursor` is null on the last page."""

    model_config = ConfigDict(title="Bookings")

    items: list[BookingOut]
    next_cursor: str | None


class MovedOut(BookingOut):
    """`price_difference.amount` is above 0 when the new slot is dearer, below when it is cheaper."""

    model_config = ConfigDict(
        title="RescheduledBooking",
        json_schema_extra={"examples": [EXAMPLE | {"price_difference": {"amount": 1200, "currency": "EUR"}}]},
    )

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
        "user_id": str(booking.user_id),
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
