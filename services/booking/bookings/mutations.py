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
from services.booking.venues.queries import Catalogue
from services.chassis.retrying import Fatal
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory


async def expire_overdue(unit_of_work: UnitOfWorkFactory, catalogue: Catalogue, wanted: Booking, reason: str) -> bool:
    """End the holds that are over and in the way of a new one. True when there were any, so that trying again makes sense.

    In the way of a slot are holds of that court, in the way of a seat the player's own. An unpaid hold thus ends on time with every
    cron stopped.
    """
    in_the_way = bookings.c.user_id == wanted.user_id
    if reason == "slot taken":
        overlaps = (bookings.c.starts_at < wanted.ends_at) & (bookings.c.ends_at > wanted.starts_at)
        in_the_way = (bookings.c.court_id == wanted.court_id) & overlaps
    async with unit_of_work() as work:
        overdue = (bookings.c.status == "held") & (bookings.c.hold_expires_at <= work.now)
        # In the order of ids, so that two sweeps cannot lock each other out.
        found = await work.session.scalars(
            select(Booking).where(in_the_way, overdue).order_by(bookings.c.id).with_for_update()
        )
        return bool([await _expire(work, catalogue, booking) for booking in found.all()])


async def _expire(work: UnitOfWork, catalogue: Catalogue, booking: Booking) -> bool:
    if booking.expire(work.now):
        await work.session.execute(delete(court_occupancy).where(court_occupancy.c.booking_id == booking.id))
        work.publish(tell(BookingExpired, booking, *await catalogue.court(booking.court_id)))
    return True


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
