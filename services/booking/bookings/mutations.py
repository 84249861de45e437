"""Changes of bookings that exist, one transaction each. Lock order: booking, then occupancy, then seat, then outbox."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select, update
from sqlalchemy.exc import IntegrityError

from courtside_contracts.booking import (
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingEvent,
    BookingExpired,
    BookingRefundDue,
    BookingRescheduled,
)
from courtside_contracts.payment import PaymentRefunded, PaymentSucceeded
from services.booking.bookings import occupancy, queries
from services.booking.bookings.counting import BOOKINGS, LATE_PAYMENTS, count_debt
from services.booking.bookings.domain import AmountDiffers, Booking, CourtTaken, OtherVenue
from services.booking.bookings.events import tell
from services.booking.bookings.tables import bookings
from services.booking.users.domain import UserNotFound
from services.booking.users.queries import must_live
from services.booking.venues.domain import Slot
from services.booking.venues.queries import Catalogue
from services.chassis.retrying import Fatal
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWork

BATCH = 200
"""Bookings that one transaction of a cron may lock."""
PAYMENT_GONE = "The payment was given back."
"""Told to the player. Nothing is owed: the money is there already."""


async def end_overdue(
    chassis: Chassis, catalogue: Catalogue, *, bookings_of: UUID | None = None, in_the_way_of: Slot | None = None
) -> int:
    """End the holds that ran out and the games that were played: those of a player, for their seats, or those of a court, for its
    time. How many.

    The request that needs them does it, so a seat and a slot are free on time with every cron stopped.
    """
    wanted = [bookings.c.user_id == bookings_of] if bookings_of else []
    if in_the_way_of:
        wanted += _overlapping(in_the_way_of)
    return await chassis.unit_of_work.run(lambda work: _end_where(work, catalogue, *wanted))


async def expire_all(work: UnitOfWork, catalogue: Catalogue) -> int:
    """One batch of all holds that are over."""
    return await _end_each(work, catalogue, _in_turn(_overdue(work.now)))


async def complete_ended(work: UnitOfWork, catalogue: Catalogue) -> int:
    """Close bookings whose time is over, oldest first. How many; `BATCH` when there may be more."""
    # In the order of its index: by ids, a batch would read the whole table for the few that are due.
    found = select(Booking).where(_ended(work.now)).order_by(bookings.c.ends_at).with_for_update(skip_locked=True)
    return await _end_each(work, catalogue, found)


def _overdue(now: datetime) -> ColumnElement[bool]:
    return (bookings.c.status == "held") & (bookings.c.hold_expires_at <= now)


def _ended(now: datetime) -> ColumnElement[bool]:
    return (bookings.c.status == "confirmed") & (bookings.c.ends_at <= now)


def _overlapping(slot: Slot) -> list[ColumnElement[bool]]:
    return [
        bookings.c.court_id == slot.court_id,
        bookings.c.starts_at < slot.ends_at,
        bookings.c.ends_at > slot.starts_at,
    ]


def _in_turn(*wanted: ColumnElement[bool]) -> Select[Booking]:
    """In the order of ids, so that two sweeps cannot lock each other out."""
    return select(Booking).where(*wanted).order_by(bookings.c.id).with_for_update()


async def _end_where(work: UnitOfWork, catalogue: Catalogue, *wanted: ColumnElement[bool]) -> int:
    return await _end_each(work, catalogue, _in_turn(_overdue(work.now) | _ended(work.now), *wanted))


async def _end_each(work: UnitOfWork, catalogue: Catalogue, over: Select[Booking]) -> int:
    found = (await work.session.scalars(over.limit(BATCH))).all()
    await _end(work, catalogue, found)
    return len(found)


async def _end(work: UnitOfWork, catalogue: Catalogue, over: Sequence[Booking]) -> None:
    """Together: their rows are locked, and others wait for them, no longer than for one."""
    kinds = [BookingExpired if booking.end(work.now) == "expired" else BookingCompleted for booking in over]
    if over:
        await occupancy.release(work.session, over, work.now)
    for kind, booking in zip(kinds, over, strict=True):
        await _tell(work, catalogue, kind, booking)


async def take_payment(work: UnitOfWork, catalogue: Catalogue, payment: PaymentSucceeded) -> None:
    """Confirm what can be confirmed; money that comes too late or twice is owed back. Each order is taken once."""
    booking = await queries.locked(work.session, payment.booking_id)
    if booking is None:
        raise Fatal(f"order {payment.order_id} is for a booking that does not exist")
    if booking.knows(payment.order_id):
        return
    is_late = booking.status in ("expired", "cancelled")
    try:
        confirmed = await _confirm(work, catalogue, booking, payment)
    except AmountDiffers as error:
        raise Fatal(str(error)) from error
    if is_late:
        work.count(LATE_PAYMENTS.labels("confirmed" if confirmed else "owed back"))
    if not confirmed:
        booking.refuse_payment(payment.order_id, payment.amount_minor)
        count_debt(work, booking)
    await _tell(work, catalogue, BookingConfirmed if confirmed else BookingRefundDue, booking)


async def _confirm(work: UnitOfWork, catalogue: Catalogue, booking: Booking, payment: PaymentSucceeded) -> bool:
    if booking.status == "held":
        booking.pay(payment.order_id, payment.amount_minor, payment.currency)
        return True
    return (
        booking.status == "expired"
        and booking.starts_at > work.now
        and await _get_back(work, catalogue, booking, payment)
    )


async def _get_back(work: UnitOfWork, catalogue: Catalogue, booking: Booking, payment: PaymentSucceeded) -> bool:
    """Paid late: the booking gets its court again, if nobody else has it and the player has a seat. Both or none."""
    try:
        await must_live(work.session, booking.user_id)
    except UserNotFound:  # erased since: nobody is left to play
        return False
    slot = Slot(booking.court_id, booking.starts_at, booking.ends_at, booking.price_minor)
    in_the_way = and_(*_overlapping(slot)) | (bookings.c.user_id == booking.user_id)
    await _end_where(work, catalogue, in_the_way, bookings.c.id != booking.id)
    venue, _ = await catalogue.court(booking.court_id)
    seat = await occupancy.free_seat(work.session, booking, venue.max_active_bookings)
    if seat is None:
        return False
    try:
        async with work.session.begin_nested():
            if not await occupancy.take(work.session, booking):
                return False
            booking.seat = seat
            booking.pay(payment.order_id, payment.amount_minor, payment.currency)
            await work.session.flush()
    except IntegrityError:  # another request took the seat meanwhile
        await work.session.refresh(booking)
        return False
    return True


async def lose_payment(work: UnitOfWork, catalogue: Catalogue, refund: PaymentRefunded) -> None:
    """When all of an order has gone back, no booking stands on it. What has not been heard of yet is remembered: it pays for nothing."""
    if refund.refunded_minor < refund.paid_minor:
        return
    booking = await queries.locked(work.session, refund.booking_id)
    if booking is None:
        raise Fatal(f"order {refund.order_id} was for a booking that does not exist")
    if booking.lose_payment(refund.order_id):
        booking.cancel_reason = PAYMENT_GONE
        await occupancy.release(work.session, [booking], work.now)
        await _tell(work, catalogue, BookingCancelled, booking, cancelled_by="club", reason=PAYMENT_GONE)


async def cancel(
    work: UnitOfWork, catalogue: Catalogue, booking: Booking, by: Literal["player", "club"], reason: str | None
) -> None:
    """`booking` must be locked. Its slot is free again, and what was paid is owed back."""
    booking.cancel(by, work.now)
    booking.cancel_reason = reason
    if booking.order_id:
        count_debt(work, booking)
    await occupancy.release(work.session, [booking], work.now)
    await _tell(work, catalogue, BookingCancelled, booking, cancelled_by=by, reason=reason)


async def end_if_overdue(work: UnitOfWork, catalogue: Catalogue, booking: Booking) -> bool:
    """`booking` must be locked. A hold that is over ends, and stands in nobody's way; whether it was one."""
    if overdue := booking.is_overdue(work.now):
        await _end(work, catalogue, [booking])
    return overdue


async def reschedule(work: UnitOfWork, catalogue: Catalogue, booking: Booking, slot: Slot) -> int:
    """`booking` must be locked. Its own slot and seat do not count against the new one. The price difference, in minor units.

    Raises `CourtTaken` when somebody has the court: this transaction is over then, and the API looks for what to offer instead.
    """
    venue, court = await catalogue.court(slot.court_id)
    if venue.id != booking.venue_id:
        raise OtherVenue(f"{court.name} belongs to another venue. Cancel, and book there.")
    before = (booking.court_id, booking.starts_at)
    difference = booking.reschedule(slot, work.now)
    await _end_where(work, catalogue, *_overlapping(slot), bookings.c.id != booking.id)
    await occupancy.release(work.session, [booking], work.now)
    if not await occupancy.take(work.session, booking):
        raise CourtTaken(slot)
    previous = {"previous_court_id": before[0], "previous_starts_at": before[1]}
    await _tell(work, catalogue, BookingRescheduled, booking, price_difference_minor=difference, **previous)
    return difference


async def show_checkout(work: UnitOfWork, booking_id: UUID, checkout_url: str) -> None:
    """Only a held booking shows where to pay; for others the page comes too late and stays unseen."""
    held = (bookings.c.id == booking_id) & (bookings.c.status == "held")
    await work.session.execute(update(bookings).where(held).values(checkout_url=checkout_url))


async def forget_reasons(work: UnitOfWork, user_id: UUID) -> None:
    """What was written to or by a player who is being erased."""
    told = (bookings.c.user_id == user_id) & bookings.c.cancel_reason.is_not(None)
    await work.session.execute(update(bookings).where(told).values(cancel_reason=None))


async def _tell(
    work: UnitOfWork, catalogue: Catalogue, kind: type[BookingEvent], booking: Booking, **more: object
) -> None:
    venue, court = await catalogue.court(booking.court_id)
    work.publish(tell(kind, booking, venue, court, **more))
    work.count(BOOKINGS.labels(kind.type))
