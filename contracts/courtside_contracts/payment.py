"""`payment.events`: what became of the money for a booking. Key: `booking_id`. Amounts are minor units of `currency` (ISO 4217)."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from courtside_contracts import topics
from courtside_contracts.envelope import Event


class PaymentEvent(Event):
    topic: ClassVar[str] = topics.PAYMENT_EVENTS.name
    source: ClassVar[str] = "/courtside/payments"

    booking_id: UUID
    attempt_id: UUID
    amount_minor: int = Field(ge=0)
    currency: str = Field(pattern="^[A-Z]{3}$")

    @property
    def key(self) -> str:
        return str(self.booking_id)


class PaymentCheckoutOpened(PaymentEvent):
    """The player can pay at `checkout_url`, a page of the payment provider, until `expires_at`; the hold may be over before that."""

    type: ClassVar[str] = "payment.checkout_opened.v1"

    checkout_url: str
    expires_at: AwareDatetime


class PaymentSucceeded(PaymentEvent):
    """The provider holds the money. `order_id` is the provider's; one order is one charge."""

    type: ClassVar[str] = "payment.succeeded.v1"

    order_id: str
    paid_at: AwareDatetime
