"""A booking and its player, as they come from the topics; each test names only what matters to it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from courtside_contracts.booking import BookingConfirmed
from courtside_contracts.user import UserProfile
from services.notifications.emails.domain import Story
from services.notifications.recipients.queries import Recipient

BOOKING_ID = UUID("0199e1a2-7c00-7d4e-9b3a-5f0c2d1e8a77")
USER_ID = UUID("0199e1a2-0000-7000-8000-00000000a11a")
MONDAY_NOON = datetime(2026, 11, 9, 12, tzinfo=UTC)


def a_booking(**changes: Any) -> BookingConfirmed:
    """Saturday evening on court 3 in Madrid, 90 minutes, for 36 euros."""
    return BookingConfirmed(
        **{
            "booking_id": BOOKING_ID,
            "version": 2,
            "status": "confirmed",
            "user_id": USER_ID,
            "venue_id": UUID("0199e1a2-0000-7000-8000-00000000c1b0"),
            "venue_name": "Club Pádel Retiro",
            "time_zone": "Europe/Madrid",
            "court_id": UUID("0199e1a2-0000-7000-8000-000000000003"),
            "court_name": "Pista 3",
            "starts_at": datetime(2026, 11, 14, 17, tzinfo=UTC),
            "ends_at": datetime(2026, 11, 14, 18, 30, tzinfo=UTC),
            "price_minor": 3600,
            "currency": "EUR",
            "cancellation_window_hours": 24,
            **changes,
        }
    )


def a_story(kind: str = "booking-confirmed", **particulars: Any) -> Story:
    """What a mail of this kind tells of that Saturday; changes of the booking go by `booking`."""
    usual: dict[str, dict[str, Any]] = {
        "booking-held": {"booking": {"status": "held", "version": 1, "hold_expires_at": MONDAY_NOON + QUARTER}},
        "booking-rescheduled": {"moved_from": datetime(2026, 11, 13, 9, tzinfo=UTC)},
        "booking-cancelled": {"booking": CANCELLED, "withdraws_invitation": True},
        "court-closed": {"booking": CANCELLED, "withdraws_invitation": True, "reason": "Rain: the courts are flooded."},
        "booking-expired": {"booking": {"status": "expired", "hold_expires_at": MONDAY_NOON}},
        "refund-done": {"booking": CANCELLED, "refund": REFUND},
        "refund-failed": {"booking": CANCELLED, "refund": REFUND | {"failure": "The card's bank refused it"}},
    }
    told = usual.get(kind, {}) | particulars
    booking = a_booking(**usual.get(kind, {}).get("booking", {}) | particulars.get("booking", {}))
    return Story.model_validate(told | {"kind": kind, "booking": booking.model_dump()})


QUARTER = timedelta(minutes=15)
ORDER_ID = "c7a5c0de-0000-4000-8000-000000000001"
CANCELLED = {
    "status": "cancelled",
    "version": 3,
    "refunds_due": [{"order_id": ORDER_ID, "amount_minor": 3600, "reason": "cancelled_by_player"}],
}
REFUND = {"refund_id": "r1", "order_id": ORDER_ID, "amount_minor": 3600, "currency": "EUR"}


def a_player(**changes: str) -> Recipient:
    return Recipient(**{"email": "alba@example.com", "name": "Alba Ruiz", "locale": "en-GB", **changes})


def a_profile(**changes: Any) -> UserProfile:
    player = a_player()
    known = {"user_id": USER_ID, "email": player.email, "name": player.name, "locale": player.locale, "version": 1}
    return UserProfile(**known | changes)
