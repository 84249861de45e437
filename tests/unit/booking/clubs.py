"""A small club in Madrid for the pure tests."""

from __future__ import annotations

from datetime import UTC, datetime, time
from uuid import UUID
from zoneinfo import ZoneInfo

from services.booking.bookings.domain import Booking
from services.booking.venues.domain import Court, OpeningHours, PriceRule, Slot, Venue

EVERY_DAY = frozenset(range(7))
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PLAYER = UUID("11111111-1111-4111-8111-111111111111")
BOOKING = UUID("01a20fcf-2145-7601-ab64-d3ccfc997b6d")
CENTRAL = Court(UUID(int=1), "Central", "turf", 90)
SIDE = Court(UUID(int=2), "Side", "turf", 60)
OFF_PEAK, PEAK, SIDE_PEAK = UUID(int=11), UUID(int=12), UUID(int=13)

CLUB = Venue(
    id=UUID(int=100),
    name="Club",
    zone=ZoneInfo("Europe/Madrid"),
    currency="EUR",
    hold_minutes=15,
    cancellation_window_hours=24,
    max_active_bookings=2,
    booking_horizon_days=30,
    opening_hours=tuple(OpeningHours(day, time(8), time(23)) for day in range(7)),
    price_rules=(
        PriceRule(OFF_PEAK, 2400, EVERY_DAY, time.min, time.min, priority=0),
        PriceRule(PEAK, 3600, frozenset(range(5)), time(18), time(22), priority=10),
        PriceRule(SIDE_PEAK, 1200, frozenset(range(5)), time(18), time(22), priority=10, court_id=SIDE.id),
    ),
    courts=(CENTRAL, SIDE),
)


def evening_slot() -> Slot:
    """Friday, 27 November 2026, 18:30 in Madrid."""
    slot = CLUB.slot_at(CENTRAL, datetime(2026, 11, 27, 17, 30, tzinfo=UTC))
    assert slot
    return slot


def a_hold() -> Booking:
    return Booking.begin(BOOKING, evening_slot(), CLUB, PLAYER, NOW, free=False)


def a_confirmed_booking() -> Booking:
    """Paid with order-1."""
    booking = a_hold()
    booking.pay("order-1", 3600, "EUR")
    return booking
