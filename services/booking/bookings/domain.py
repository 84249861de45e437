"""What a booking may do. Pure: time comes in as an argument, facts go out as return values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.booking.venues.domain import Court, Slot, Venue
from services.chassis import problems

Status = Literal["held", "confirmed", "cancelled", "expired", "completed"]
LIVE: tuple[Status, ...] = ("held", "confirmed")
"""The states in which a booking has its court and one of its player's seats."""


class SlotNotOnGrid(problems.Invalid):
    """The court has no slot that starts then: closed, or between two slots."""


class CourtOutOfUse(problems.Conflict):
    """The club keeps this court closed until further notice."""


class SlotInThePast(problems.Invalid):
    pass


class SlotBeyondHorizon(problems.Invalid):
    pass


class SlotAlreadyTaken(problems.Conflict):
    pass


class ActiveBookingLimit(problems.Conflict):
    pass


class BookingNotFound(problems.NotFound):
    pass


class BookingNotHeld(problems.Conflict):
    """The booking is in a state in which there is nothing to pay."""


class HoldExpired(problems.Problem):
    status = 410


class CheckoutNotReady(problems.Conflict):
    """The payment page is being made: ask again."""


class PaymentTooLate(Exception):
    """Money came for a booking that no longer has its court."""


class HoldNotOver(Exception):
    """Nobody may end a hold before its time."""


class AmountDiffers(Exception):
    """Money came, but not the frozen price."""


@dataclass(eq=False)
class Booking:
    """One player's claim to one court for `[starts_at, ends_at)`. Price and policy are those of the moment it was made."""

    id: UUID
    court_id: UUID
    venue_id: UUID
    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    status: Status
    seat: int
    price_minor: int
    currency: str
    cancellation_window_hours: int
    hold_expires_at: datetime | None
    created_at: datetime
    version: int = 1
    checkout_url: str | None = None
    order_id: str | None = None

    @classmethod
    def hold(cls, booking_id: UUID, slot: Slot, venue: Venue, user_id: UUID, now: datetime) -> Booking:
        """The seat is the database's to give; 0 stands for "none yet"."""
        return cls(
            id=booking_id,
            court_id=slot.court_id,
            venue_id=venue.id,
            user_id=user_id,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            status="held",
            seat=0,
            price_minor=slot.price_minor,
            currency=venue.currency,
            cancellation_window_hours=venue.cancellation_window_hours,
            hold_expires_at=now + timedelta(minutes=venue.hold_minutes),
            created_at=now,
        )

    def is_overdue(self, now: datetime) -> bool:
        return self.status == "held" and self.hold_expires_at is not None and self.hold_expires_at <= now

    def confirm(self, order_id: str, amount_minor: int, currency: str) -> bool:
        """Take a payment. False when this very payment was taken before.

        A hold that is overdue but not yet swept still has its court, so the payment is in time.
        """
        if self.order_id == order_id:
            return False
        if self.status != "held":
            raise PaymentTooLate(f"order {order_id} came when the booking was {self.status}")
        if (amount_minor, currency) != (self.price_minor, self.currency):
            raise AmountDiffers(f"{amount_minor} {currency} came for {self.price_minor} {self.currency}")
        self.status, self.order_id, self.hold_expires_at = "confirmed", order_id, None
        self.version += 1
        return True

    def expire(self, now: datetime) -> None:
        """Give up a hold that is over. Raises `HoldNotOver` when it is not, or a payment was faster."""
        if not self.is_overdue(now):
            raise HoldNotOver(f"the booking is {self.status} until {self.hold_expires_at}")
        self.status = "expired"
        self.version += 1

    def checkout(self, now: datetime) -> str:
        """Where to pay, as long as paying makes sense."""
        if self.status == "expired" or self.is_overdue(now):
            raise HoldExpired(
                "The hold is over and the slot is free again. Hold it anew to pay.", booking_id=str(self.id)
            )
        if self.status != "held":
            raise BookingNotHeld(f"There is nothing to pay: the booking is {self.status}.", booking_status=self.status)
        if self.checkout_url is None:
            raise CheckoutNotReady(
                "The payment page is being made; ask again in a second.", headers={"Retry-After": "1"}
            )
        return self.checkout_url


def choose_slot(venue: Venue, court: Court, starts_at: datetime, now: datetime) -> Slot:
    """The slot that a player asks for, if the club offers it."""
    if not court.active:
        raise CourtOutOfUse(f"{court.name} takes no bookings at present.", court_id=str(court.id))
    if starts_at <= now:
        raise SlotInThePast("This slot has begun. Choose one that starts later.", starts_at=starts_at.isoformat())
    last = venue.last_bookable_day(now)
    # The first comparison keeps the year 9999 away from the zone's arithmetic.
    if starts_at.date() > last + timedelta(days=1) or venue.local(starts_at).date() > last:
        raise SlotBeyondHorizon(f"The club takes bookings up to {last}.", last_bookable_day=last.isoformat())
    if slot := venue.slot_at(court, starts_at):
        return slot
    raise SlotNotOnGrid(
        f"{court.name} has no slot that starts then: its slots last {court.slot_minutes} minutes from the opening on.",
        slots_of_that_day=[
            venue.local(slot.starts_at).isoformat() for slot in venue.slots(court, venue.local(starts_at).date())
        ],
    )
