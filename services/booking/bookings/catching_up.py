"""The bookings of a restored database, brought up to what `booking.events` tells: each event is the whole booking, and kept for ever.

What a player was shown is on that topic, so after this no court is given away that somebody holds. What no topic knows stays lost:
answers of repeated requests, addresses of calendar feeds, staff, prices, closures; of blocks made since, the list is printed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete

from courtside_contracts.booking import BookingCancelled, BookingEvent
from courtside_contracts.catalogue import EVENTS
from courtside_contracts.court import BlockedSlotEvent, SlotBlocked
from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.payment import PaymentCheckoutOpened, PaymentSucceeded
from services.booking.blocked_slots.tables import blocked_slots
from services.booking.bookings import occupancy
from services.booking.bookings.domain import Booking, RefundDue
from services.chassis.restoring import NotRestored
from services.chassis.subscribing import Record
from services.chassis.unit_of_work import UnitOfWork

TOGETHER = 200
"""Bookings whose time is given back in one statement."""
ANY_SEAT = 32_767
"""The limit of active bookings was judged when they were made."""


class CourtIsTakenSince(NotRestored):
    """Somebody booked in the restored database before it had caught up. Nothing was changed."""


@dataclass
class Story:
    """What the topics tell: of each booking and block its last version, of each booking its money."""

    bookings: dict[UUID, BookingEvent] = field(default_factory=dict)
    made_at: dict[UUID, datetime] = field(default_factory=dict)
    orders: dict[UUID, list[str]] = field(default_factory=dict)
    pages: dict[UUID, str] = field(default_factory=dict)
    blocks: dict[UUID, BlockedSlotEvent] = field(default_factory=dict)

    def hear(self, record: Record) -> None:
        envelope = Envelope.parse(record.headers)
        kind = EVENTS.get(envelope.type)
        if kind and record.value is not None:
            self._add(kind.model_validate_json(record.value), envelope.time)

    def _add(self, event: Event, at: datetime) -> None:
        match event:
            case BookingEvent():
                self.made_at.setdefault(event.booking_id, at)
                if (known := self.bookings.get(event.booking_id)) is None or known.version < event.version:
                    self.bookings[event.booking_id] = event
            case PaymentSucceeded():
                self.orders.setdefault(event.booking_id, []).append(event.order_id)
            case PaymentCheckoutOpened():
                self.pages[event.booking_id] = event.checkout_url
            case BlockedSlotEvent():
                if (block := self.blocks.get(event.blocked_slot_id)) is None or block.version < event.version:
                    self.blocks[event.blocked_slot_id] = event

    def paid_with(self, event: BookingEvent) -> str | None:
        """The order that the booking stands on, or stood on: what came beside it is owed back for another reason."""
        owed = {due.order_id: due.reason for due in event.refunds_due}
        for order, reason in owed.items():
            if reason.startswith("cancelled"):
                return order
        return next((order for order in self.orders.get(event.booking_id, ()) if order not in owed), None)

    def blocked(self) -> Iterator[SlotBlocked]:
        return (block for block in self.blocks.values() if isinstance(block, SlotBlocked))


async def catch_up(work: UnitOfWork, story: Story) -> int:
    """How many bookings were written. Users must be there. Ended bookings go first: they give their courts and seats to the others.

    Raises `CourtIsTakenSince`.
    """
    gone = [block.blocked_slot_id for block in story.blocks.values() if not isinstance(block, SlotBlocked)]
    await work.session.execute(delete(blocked_slots).where(blocked_slots.c.id.in_(gone)))
    behind = [(event, booking) async for event, booking in _behind(work, story)]
    known = [booking for _, booking in behind if booking]
    for first in range(0, len(known), TOGETHER):
        await occupancy.release(work.session, known[first : first + TOGETHER], work.now)
    for event, booking in sorted(behind, key=lambda each: each[0].status in ("held", "confirmed")):
        await _write(work, story, event, booking)
    return len(behind)


async def _behind(work: UnitOfWork, story: Story) -> AsyncIterator[tuple[BookingEvent, Booking | None]]:
    for event in story.bookings.values():
        booking = await work.session.get(Booking, event.booking_id, with_for_update=True)
        if booking is None or booking.version < event.version:
            yield event, booking


async def _write(work: UnitOfWork, story: Story, event: BookingEvent, known: Booking | None) -> None:
    is_live = event.status in ("held", "confirmed")
    booking = known or _made(event, story.made_at[event.booking_id])
    was_live = known is not None and known.status in ("held", "confirmed")
    if is_live and not was_live:
        booking.seat = await occupancy.free_seat(work.session, booking, ANY_SEAT) or ANY_SEAT
    _bring_up(booking, event, story)
    work.session.add(booking)
    await work.session.flush()
    if is_live and not await occupancy.take(work.session, booking):
        raise CourtIsTakenSince(
            f"somebody else has {event.court_name} at {event.starts_at:%Y-%m-%d %H:%M} UTC, which is booking {booking.id}'s: "
            "cancel theirs, and start again before the API takes requests"
        )


def _made(event: BookingEvent, at: datetime) -> Booking:
    return Booking(
        id=event.booking_id,
        court_id=event.court_id,
        venue_id=event.venue_id,
        user_id=event.user_id,
        starts_at=event.starts_at,
        ends_at=event.ends_at,
        status=event.status,
        seat=1,
        price_minor=event.price_minor,
        currency=event.currency,
        cancellation_window_hours=event.cancellation_window_hours,
        hold_expires_at=event.hold_expires_at,
        created_at=at,
    )


def _bring_up(booking: Booking, event: BookingEvent, story: Story) -> None:
    booking.court_id, booking.starts_at, booking.ends_at = event.court_id, event.starts_at, event.ends_at
    booking.status, booking.hold_expires_at, booking.version = event.status, event.hold_expires_at, event.version
    booking.refunds_due = tuple(RefundDue(**due.model_dump()) for due in event.refunds_due)
    booking.order_id = story.paid_with(event) or booking.order_id
    booking.checkout_url = story.pages.get(booking.id, booking.checkout_url)
    if isinstance(event, BookingCancelled):
        booking.cancel_reason = event.reason
