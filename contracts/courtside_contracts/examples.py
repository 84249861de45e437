"""One event of every type, as a consumer may meet it: the examples of `asyncapi.yaml`, and a start for a consumer's own tests.

They tell one story: Ana holds a court in Madrid, pays, and moves, while the club blocks another.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from courtside_contracts.envelope import Envelope, Event

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
EVENT_ID = "01a20fcf-2146-74e1-9937-5e160d48fced"

FACTS: Mapping[str, Any] = {
    "amount_minor": 3600,
    "attempt_id": UUID("01a20fcf-2145-7601-ab64-d3ccfc997b6e"),
    "blocked_slot_id": UUID("01a20fcf-2147-7aa0-8e1c-2b7d0f1f5a01"),
    "booking_id": UUID("01a20fcf-2145-7601-ab64-d3ccfc997b6d"),
    "bounced_at": NOON,
    "cancellation_window_hours": 24,
    "cancelled_by": "player",
    "checkout_url": "https://polar.example/checkout/polar_c_8VZk",
    "court_id": UUID("01a20fc0-0000-7000-8000-000000000002"),
    "court_name": "Court 2",
    "currency": "EUR",
    "delivered_at": NOON,
    "email": "ana.ruiz@example.com",
    "email_id": UUID("01a20fd1-77f0-7c3e-9d0f-6a1b2c3d4e5f"),
    "ends_at": datetime(2026, 11, 28, 18, 30, tzinfo=UTC),
    "expires_at": datetime(2026, 11, 24, 13, 0, tzinfo=UTC),
    "failed_at": NOON,
    "failure": "The card's bank refused it",
    "hold_expires_at": datetime(2026, 11, 24, 12, 15, tzinfo=UTC),
    "kind": "booking-confirmed",
    "locale": "es",
    "name": "Ana Ruiz",
    "order_id": "c7a5c0de-0000-4000-8000-000000000001",
    "paid_at": NOON,
    "paid_minor": 3600,
    "previous_court_id": UUID("01a20fc0-0000-7000-8000-000000000001"),
    "previous_starts_at": datetime(2026, 11, 28, 16, 0, tzinfo=UTC),
    "price_difference_minor": 400,
    "price_minor": 3600,
    "provider_id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794",
    "reason": "Tournament of the club",
    "refund_id": UUID("01a20fd3-5b10-7e44-8c5a-2f0b9d7c6e51"),
    "refunded_at": NOON,
    "refunded_minor": 0,
    "requested_at": NOON,
    "sent_at": NOON,
    "series_id": UUID("01a20fcf-2147-7aa0-8e1c-2b7d0f1f5a00"),
    "staff_of": (),
    "starts_at": datetime(2026, 11, 28, 17, 0, tzinfo=UTC),
    "status": "confirmed",
    "time_zone": "Europe/Madrid",
    "user_id": UUID("01a20fbf-6f00-7b1d-a5b6-0c9d8e7f6a5b"),
    "venue_id": UUID("01a20fc0-0000-7000-8000-000000000000"),
    "venue_name": "Club Norte",
    "version": 2,
}
"""What a field of this name says, whichever event it is a field of. A new event made of known fields has its example already."""

_REFUND = {"order_id": FACTS["order_id"], "amount_minor": 3600}

PARTICULARS: Mapping[str, Mapping[str, Any]] = {
    "booking.held.v1": {"status": "held", "version": 1},
    "booking.confirmed.v1": {"hold_expires_at": None},
    "booking.rescheduled.v1": {"hold_expires_at": None, "version": 3},
    "booking.cancelled.v1": {
        "status": "cancelled",
        "hold_expires_at": None,
        "reason": None,
        "refunds_due": [_REFUND | {"reason": "cancelled_by_player"}],
        "version": 3,
    },
    "booking.expired.v1": {"status": "expired"},
    "booking.completed.v1": {"status": "completed", "hold_expires_at": None, "version": 3},
    "booking.refund_due.v1": {
        "status": "expired",
        "refunds_due": [_REFUND | {"reason": "paid_too_late"}],
        "version": 3,
    },
    "slot.blocked.v1": {"version": 1},
    "notification.bounced.v1": {"reason": "Permanent"},
    "notification.failed.v1": {"reason": "suppressed"},
    "payment.refund_requested.v1": {"reason": "cancelled_by_player"},
    "payment.refunded.v1": {"reason": "cancelled_by_player", "refunded_minor": 3600},
    "payment.refund_failed.v1": {"reason": "cancelled_by_player"},
}
"""By event type: where it says something else."""

E = TypeVar("E", bound=Event)


def example(kind: type[E]) -> E:
    """Raises pydantic's `ValidationError`, naming the field, when a required one has no fact yet."""
    told = {**FACTS, **PARTICULARS.get(kind.type, {})}
    return kind(**{name: told[name] for name in kind.model_fields if name in told})


def envelope(event: Event) -> Envelope:
    return Envelope(
        id=EVENT_ID,
        type=event.type,
        source=event.source,
        time=NOON,
        subject=event.key,
        traceparent="00-12a7037f4028458c11c32a597a26cd87-6f28050badbcd9c7-01",
        correlation_id="01a20fcf-2144-7d10-b7a8-1f2e3d4c5b6a",
    )
