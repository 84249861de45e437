"""`booking.events`: what happened to a booking. Key: `booking_id`; `version` counts 1..n without gaps for each booking."""

from __future__ import annotations

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from courtside_contracts import topics
from courtside_contracts.envelope import Event

Status = Literal["held", "confirmed", "cancelled", "expired", "completed"]


class RefundDue(BaseModel):
    """Money that must go back. One for each order at most; once told, it stays in every later event of the booking."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    order_id: str
    amount_minor: int = Field(gt=0)
    reason: str
    """`cancelled_by_player`, `cancelled_by_club`, `paid_too_late`, `paid_twice`. Open: more may come."""


class BookingEvent(Event):
    """The whole booking as it is after the fact.

    Instants are UTC; `time_zone` (IANA) is the venue's, for showing them. `price_minor` is in minor units of `currency` (ISO 4217),
    frozen when the slot was held. A player may cancel up to
    `cancellation_window_hours` before the start. No personal data: `user_id` leads to `user.profiles` for who may read that topic.
    """

    topic: ClassVar[str] = topics.BOOKING_EVENTS.name
    source: ClassVar[str] = "/courtside/booking"

    booking_id: UUID
    version: int = Field(ge=1)
    status: Status
    user_id: UUID
    venue_id: UUID
    venue_name: str
    time_zone: str
    court_id: UUID
    court_name: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    price_minor: int = Field(ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")
    cancellation_window_hours: int = Field(ge=0)
    hold_expires_at: AwareDatetime | None = None
    refunds_due: tuple[RefundDue, ...] = ()

    @property
    def key(self) -> str:
        return str(self.booking_id)


class BookingHeld(BookingEvent):
    """The slot is taken until `hold_expires_at`, and a payment of `price_minor` confirms it."""

    type: ClassVar[str] = "booking.held.v1"


class BookingConfirmed(BookingEvent):
    """The booking is paid for and stands."""

    type: ClassVar[str] = "booking.confirmed.v1"


class BookingRescheduled(BookingEvent):
    """The booking was moved. What was paid stays; `price_difference_minor` says by how much the new slot is dearer."""

    type: ClassVar[str] = "booking.rescheduled.v1"

    previous_court_id: UUID
    previous_starts_at: AwareDatetime
    price_difference_minor: int


class BookingCancelled(BookingEvent):
    """The booking was given up, and its slot is free again. What was paid for it is among `refunds_due`, unless it has gone back."""

    type: ClassVar[str] = "booking.cancelled.v1"

    cancelled_by: Literal["player", "club"]
    reason: str | None = None


class BookingCompleted(BookingEvent):
    """The time of the booking is over."""

    type: ClassVar[str] = "booking.completed.v1"


class BookingRefundDue(BookingEvent):
    """A payment came that the booking cannot use: it is the last of `refunds_due`. The booking itself is as it was."""

    type: ClassVar[str] = "booking.refund_due.v1"


class BookingExpired(BookingEvent):
    """The hold was over before a payment arrived; the slot is free again."""

    type: ClassVar[str] = "booking.expired.v1"
