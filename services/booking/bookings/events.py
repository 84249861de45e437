"""Domain to contract: the only translation."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, TypeVar

from courtside_contracts.booking import BookingEvent, RefundDue
from services.booking.bookings.domain import Booking
from services.booking.venues.domain import Court, Venue

E = TypeVar("E", bound=BookingEvent)


def tell(kind: type[E], booking: Booking, venue: Venue, court: Court, **more: Any) -> E:
    """`more` is what only this kind of event has."""
    return kind(
        booking_id=booking.id,
        version=booking.version,
        status=booking.status,
        user_id=booking.user_id,
        venue_id=venue.id,
        venue_name=venue.name,
        time_zone=venue.zone.key,
        court_id=court.id,
        court_name=court.name,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        price_minor=booking.price_minor,
        currency=booking.currency,
        cancellation_window_hours=booking.cancellation_window_hours,
        hold_expires_at=booking.hold_expires_at,
        refunds_due=tuple(RefundDue(**asdict(due)) for due in booking.refunds_due),
        **more,
    )
