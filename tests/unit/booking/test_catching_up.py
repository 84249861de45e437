"""What the topics tell of a booking that the restored database does not know, or knows as it was."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord

from courtside_contracts.booking import BookingCancelled, BookingConfirmed, BookingEvent, BookingHeld, RefundDue
from courtside_contracts.court import SlotBlocked, SlotUnblocked
from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.examples import example
from courtside_contracts.payment import PaymentSucceeded
from services.booking.bookings.catching_up import Story
from tests.unit.notifications.builders import BOOKING_ID, MONDAY_NOON, a_booking


def record(event: Event | None, kind: type[Event] = BookingEvent, minute: int = 0) -> Any:
    told = event.type if event else kind.type
    at = MONDAY_NOON + timedelta(minutes=minute)
    headers = Envelope(str(uuid4()), told, "/test", at, "key").headers()
    value = event.value() if event else None
    at_ms = int(at.timestamp() * 1000)
    return ConsumerRecord("topic", 0, 0, at_ms, 0, b"key", value, None, -1, -1, headers)


def heard(*events: Event) -> Story:
    story = Story()
    for minute, event in enumerate(events):
        story.hear(record(event, minute=minute))
    return story


def as_event(kind: type[BookingEvent], **changes: Any) -> BookingEvent:
    return kind.model_validate(a_booking().model_dump() | changes)


def paid(order_id: str, booking_id: UUID = BOOKING_ID) -> PaymentSucceeded:
    return example(PaymentSucceeded).model_copy(update={"booking_id": booking_id, "order_id": order_id})


HELD = as_event(BookingHeld, version=1, status="held", hold_expires_at=MONDAY_NOON)
CONFIRMED = as_event(BookingConfirmed, version=2)


def cancelled(*dues: RefundDue) -> BookingEvent:
    return as_event(BookingCancelled, version=3, status="cancelled", cancelled_by="player", refunds_due=dues)


def test_the_last_version_counts_in_whatever_order_it_was_told() -> None:
    for story in (heard(HELD, CONFIRMED), heard(CONFIRMED, HELD), heard(CONFIRMED, CONFIRMED, HELD)):
        assert story.bookings[BOOKING_ID] == CONFIRMED


def test_a_booking_was_made_when_it_was_first_told_of() -> None:
    assert heard(HELD, CONFIRMED).made_at[BOOKING_ID] == MONDAY_NOON


def test_a_confirmed_booking_stands_on_the_order_that_is_not_owed_back() -> None:
    twice = as_event(
        BookingConfirmed, version=3, refunds_due=(RefundDue(order_id="two", amount_minor=1, reason="paid_twice"),)
    )
    assert heard(twice, paid("two"), paid("one")).paid_with(twice) == "one"
    assert heard(CONFIRMED, paid("other", uuid4())).paid_with(CONFIRMED) is None


def test_a_cancelled_booking_stood_on_the_order_that_its_cancellation_owes() -> None:
    late = RefundDue(order_id="late", amount_minor=1, reason="paid_twice")
    back = RefundDue(order_id="first", amount_minor=1, reason="cancelled_by_player")
    event = cancelled(late, back)
    assert heard(event, paid("first"), paid("late")).paid_with(event) == "first"
    unpaid = cancelled()
    assert heard(unpaid).paid_with(unpaid) is None


def test_what_is_no_event_of_the_story_is_passed_over() -> None:
    story = heard(CONFIRMED)
    story.hear(record(None, BookingConfirmed))
    assert story.bookings == {BOOKING_ID: CONFIRMED}


def test_a_block_that_was_taken_away_is_no_block() -> None:
    made = example(SlotBlocked)
    gone = SlotUnblocked.model_validate(made.model_dump() | {"version": 2})
    assert list(heard(made).blocked()) == [made]
    assert list(heard(gone, made).blocked()) == []
