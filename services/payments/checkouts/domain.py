"""What one attempt to be paid asks for, and what a checkout must be to be shown to the player."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from courtside_contracts.booking import BookingEvent
from services.chassis.retrying import Fatal, Overtaken

State = Literal["creating", "open", "paid", "lapsed"]
"""creating ─ Polar has been or is being asked ─► open ─ the player can pay ─► paid. lapsed: its time was over before it was paid; money
that comes all the same is money for the booking, which decides about it."""


class ProfileHasNotArrived(Overtaken):
    """The player's address is not known here yet."""


class CheckoutIsNotWhatWasAsked(Fatal):
    """Polar made a checkout of another price: nobody may be sent there."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The frozen price of a booking and the attempt that asks for it. `currency` is ISO 4217, upper case."""

    attempt_id: UUID
    booking_id: UUID
    amount_minor: int
    currency: str

    def metadata(self) -> dict[str, str | int | float | bool]:
        """Goes with the checkout, comes back with the order: the only link between the two that Polar never loses."""
        return {"booking_id": str(self.booking_id), "attempt_id": str(self.attempt_id)}


@dataclass(frozen=True, slots=True)
class Intent:
    """A quote that is to become a checkout. `repeated`: it was begun before, and Polar may have made the checkout already."""

    quote: Quote
    email: str
    repeated: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt as its row has it. `checkout_id` is that of the page that was shown, if there is one."""

    quote: Quote
    state: State
    checkout_id: str | None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A page at Polar where one quote can be paid. `status` is Polar's word: open, confirmed, succeeded, expired, failed."""

    id: str
    url: str
    status: str
    expires_at: datetime
    created_at: datetime
    amount_minor: int
    currency: str
    metadata: Mapping[str, object]

    def must_ask_for(self, quote: Quote) -> None:
        if (self.amount_minor, self.currency) != (quote.amount_minor, quote.currency):
            raise CheckoutIsNotWhatWasAsked(
                f"asked for {quote.amount_minor} {quote.currency}, got {self.amount_minor} {self.currency}"
            )

    @property
    def is_over(self) -> bool:
        """Nobody can pay there any more. A page that is `confirmed` may still be paid, hours later."""
        return self.status in ("expired", "failed")


def hold_is_over(held: BookingEvent, now: datetime) -> bool:
    return held.hold_expires_at is not None and held.hold_expires_at <= now


def attempt_named_in(metadata: Mapping[str, object]) -> UUID | None:
    """Whose money an order or a checkout says it is; anything may stand there."""
    named = metadata.get("attempt_id")
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None
