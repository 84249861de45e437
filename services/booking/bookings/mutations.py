"""Changes of bookings that exist, one transaction each. Lock order: booking, then occupancy, then outbox."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select, update

from courtside_contracts.booking import BookingConfirmed, BookingExpired
from courtside_contracts.payment import PaymentSucceeded
from services.booking.bookings import queries
from services.booking.bookings.domain import AmountDiffers, Booking, PaymentTooLate
from services.booking.bookings.events import tell
from services.booking.bookings.tables import bookings, court_occupancy
from services.booking.venues.domain import Slot
from services.booking.venues.queries import Catalogue
from services.chassis.retrying import Fatal
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWork


async def expire_overdue(
    chassis: Chassis, catalogue: Catalogue, *, bookings_of: UUID | None = None, in_the_way_of: Slot | None = None
) -> int:
    """End the holds that are over: those of a player, for their seats, or those of a court, for its time. How many.

    The next player's own request does it, so an unpaid hold ends on time with every cron stopped.
    """
    wanted = [bookings.c.user_id == bookings_of] if bookings_of else []
    if in_the_way_of:
        overlaps = (bookings.c.starts_at < in_the_way_of.ends_at) & (bookings.c.ends_at > in_the_way_of.starts_at)
        wanted += [bookings.c.court_id == in_the_way_of.court_id, overlaps]
    async with chassis.unit_of_work() as work:
        overdue = (bookings.c.status == "held") & (bookings.c.hold_expires_at <= work.now)
        # In the order of ids, so that two sweeps cannot lock each other out.
        found = select(Booking).where(overdue, *wanted).order_by(bookings.c.id).with_for_update()
        expired = (await work.session.scalars(found)).all()
        for booking in expired:
            await _expire(work, catalogue, booking)
    return len(expired)


async def _expire(work: UnitOfWork, catalogue: Catalogue, booking: Booking) -> None:
    booking.expire(work.now)
    await work.session.execute(delete(court_occupancy).where(court_occupancy.c.booking_id == booking.id))
    work.publish(tell(BookingExpired, booking, *await catalogue.court(booking.court_id)))


async def confirm(work: UnitOfWork, catalogue: Catalogue, payment: PaymentSucceeded) -> None:
    booking = await queries.locked(work.session, payment.booking_id)
    if booking is None:
        raise Fatal(f"order {payment.order_id} is for a booking that does not exist")
    try:
        new = booking.confirm(payment.order_id, payment.amount_minor, payment.currency)
    except (PaymentTooLate, AmountDiffers) as error:
        raise Fatal(str(error)) from error
    if new:
        work.publish(tell(BookingConfirmed, booking, *await catalogue.court(booking.court_id)))


async def show_checkout(work: UnitOfWork, booking_id: UUID, checkout_url: str) -> None:
    """Only a held booking shows where to pay; for others the page comes too late and stays unseen."""
    held = (bookings.c.id == booking_id) & (bookings.c.status == "held")
    await work.session.execute(update(bookings).where(held).values(checkout_url=checkout_url))
