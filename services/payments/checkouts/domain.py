"""What one attempt to be paid asks for, and what a checkout must be to be shown to the player."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from courtside_contracts.booking import BookingHeld
from services.chassis.retrying import Fatal, Overtaken

State = Literal["creating", "open", "paid", "lapsed"]
"""creating ─ Polar has been or is being asked ─► open ─ the player can pay ─► paid; lapsed: the hold was over before it opened."""


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
class Checkout:
    """A page at Polar where one quote can be paid."""

    id: str
    url: str
    expires_at: datetime
    amount_minor: int
    currency: str

    def must_ask_for(self, quote: Quote) -> None:
        if (self.amount_minor, self.currency) != (quote.amount_minor, quote.currency):
            raise CheckoutIsNotWhatWasAsked(
                f"asked for {quote.amount_minor} {quote.currency}, got {self.amount_minor} {self.currency}"
            )


def hold_is_over(held: BookingHeld, now: datetime) -> bool:
    return held.hold_expires_at is not None and held.hold_expires_at <= now
