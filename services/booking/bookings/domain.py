"""What a booking may do. Pure: time comes in as an argument, facts go out as return values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.booking.bookings.life_cycle import Status, TransitionNotPossible, Trigger, follow
from services.booking.venues.domain import Slot, Venue
from services.chassis import problems

Reason = Literal["cancelled_by_player", "cancelled_by_club", "paid_too_late", "paid_twice"]


class SlotAlreadyTaken(problems.Conflict):
    """Somebody has the court at that time; `next_free_slots` are the next ones of the same court."""


class ActiveBookingLimit(problems.Conflict):
    """The player has as many held and confirmed bookings as the club allows; `limit` is the number."""


class TooManyAtOnce(problems.Unavailable):
    """So many requests want the same that none of a few tries got through; the same request will do."""


class HoldExpired(problems.Problem):
    """The hold ran out before it was paid for, and the slot is free again."""

    status = 410


class CheckoutNotReady(problems.Conflict):
    """The payment page is being made: ask again."""


class CancellationWindowClosed(problems.Conflict):
    """Too late for the player; `cancel_until` says when it ended."""


class BookingChanged(problems.PreconditionFailed):
    """The booking is no longer the one whose ETag came in `If-Match`: read it again."""


class OtherVenue(problems.Conflict):
    """A booking moves within its venue."""


class NotYetTime(Exception):
    """A clock asked for what only time may bring: the end of a hold that is not over, of a game that goes on."""


class AmountDiffers(Exception):
    """Money came, but not the frozen price."""


class CourtTaken(Exception):
    """Somebody has the court for the time of `slot`: a booking that was to move there stays where it is."""

    def __init__(self, slot: Slot) -> None:
        super().__init__(f"{slot.court_id} is taken at {slot.starts_at}")
        self.slot = slot


@dataclass(frozen=True)
class RefundDue:
    """Money of one order that must go back, in the booking's currency."""

    order_id: str
    amount_minor: int
    reason: Reason


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
    refunds_due: tuple[RefundDue, ...] = ()
    refunded_orders: tuple[str, ...] = ()
    """All of their money has gone back: none of them pays for anything any more."""
    cancel_reason: str | None = None
    price_rule_id: UUID | None = None
    """None when staff waived the price."""

    @classmethod
    def begin(cls, booking_id: UUID, slot: Slot, venue: Venue, user_id: UUID, now: datetime, *, free: bool) -> Booking:
        """Held until it is paid for, or confirmed at once when there is nothing to pay. The seat is the database's to give."""
        price_minor = 0 if free else slot.price_minor
        return cls(
            id=booking_id,
            court_id=slot.court_id,
            venue_id=venue.id,
            user_id=user_id,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            status="confirmed" if free else "held",
            seat=0,
            price_minor=price_minor,
            price_rule_id=slot.price_rule_id if price_minor == slot.price_minor else None,
            currency=venue.currency,
            cancellation_window_hours=venue.cancellation_window_hours,
            hold_expires_at=None if free else now + timedelta(minutes=venue.hold_minutes),
            created_at=now,
        )

    @property
    def cancel_until(self) -> datetime:
        """The last instant at which the player may cancel or move. In instants, so that a day of 23 or 25 hours changes nothing."""
        return self.starts_at - timedelta(hours=self.cancellation_window_hours)

    def is_overdue(self, now: datetime) -> bool:
        return self.status == "held" and self.hold_expires_at is not None and self.hold_expires_at <= now

    def knows(self, order_id: str) -> bool:
        if order_id in self.refunded_orders or order_id == self.order_id:
            return True
        return any(due.order_id == order_id for due in self.refunds_due)

    def pay(self, order_id: str, amount_minor: int, currency: str) -> None:
        """A hold that is overdue but not yet swept still has its court; an expired one must have got it again."""
        if (amount_minor, currency) != (self.price_minor, self.currency):
            raise AmountDiffers(f"{amount_minor} {currency} came for {self.price_minor} {self.currency}")
        self._go("pay")
        self.order_id, self.hold_expires_at = order_id, None

    def refuse_payment(self, order_id: str, amount_minor: int) -> None:
        """The money came too late or twice, and goes back."""
        self._go("refuse payment")
        self._owe(order_id, amount_minor, "paid_twice" if self.order_id else "paid_too_late")

    def lose_payment(self, order_id: str) -> bool:
        """All that this order paid has gone back, whoever gave it. A booking that stood on it is cancelled; whether it was one."""
        if order_id in self.refunded_orders:
            return False
        self.refunded_orders = (*self.refunded_orders, order_id)
        if self.status != "confirmed" or order_id != self.order_id:
            return False
        self._go("lose payment")
        return True

    def expire(self, now: datetime) -> None:
        if not self.is_overdue(now):
            raise NotYetTime(f"the booking is {self.status} until {self.hold_expires_at}")
        self._go("expire")

    def cancel(self, by: Literal["player", "club"], now: datetime) -> None:
        """What was paid is owed back. Exactly at `cancel_until` the player still may."""
        if by == "player" and self.status == "confirmed":
            self._refuse_outside_window(now)
        self._go("cancel")
        self.hold_expires_at = None
        if self.order_id:
            self._owe(self.order_id, self.price_minor, "cancelled_by_player" if by == "player" else "cancelled_by_club")

    def reschedule(self, slot: Slot, now: datetime) -> int:
        """Move to another slot. What was paid stays; the answer is by how much the new slot is dearer."""
        if self.status == "confirmed":
            self._refuse_outside_window(now)
        self._go("reschedule")
        self.court_id, self.starts_at, self.ends_at = slot.court_id, slot.starts_at, slot.ends_at
        return slot.price_minor - self.price_minor

    def complete(self, now: datetime) -> None:
        if now < self.ends_at:
            raise NotYetTime(f"the booking ends at {self.ends_at}")
        self._go("complete")

    def end(self, now: datetime) -> Status:
        """What time brings, and where it leads: a hold expires, a game is completed."""
        if self.status == "held":
            self.expire(now)
        else:
            self.complete(now)
        return self.status

    def checkout(self, now: datetime) -> str:
        """Where to pay, as long as paying makes sense."""
        if self.status == "expired" or self.is_overdue(now):
            raise HoldExpired(
                "The hold is over and the slot is free again. Hold it anew to pay.", booking_id=str(self.id)
            )
        if self.status != "held":
            raise TransitionNotPossible(
                f"There is nothing to pay: the booking is {self.status}.", booking_status=self.status
            )
        if self.checkout_url is None:
            raise CheckoutNotReady(
                "The payment page is being made; ask again in a second.", headers={"Retry-After": "1"}
            )
        return self.checkout_url

    def _go(self, trigger: Trigger) -> None:
        self.status = follow(self.status, trigger)
        self.version += 1

    def _refuse_outside_window(self, now: datetime) -> None:
        if now > self.cancel_until:
            raise CancellationWindowClosed(
                f"Up to {self.cancellation_window_hours} h before the start a player may cancel or move a booking.",
                cancel_until=self.cancel_until.isoformat(),
                booking_status=self.status,
            )

    def _owe(self, order_id: str, amount_minor: int, reason: Reason) -> None:
        self.refunds_due = (*self.refunds_due, RefundDue(order_id, amount_minor, reason))
