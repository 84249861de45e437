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


class RefundEvent(PaymentEvent):
    """`amount_minor` is what this one refund gives back, of the order's `paid_minor`; `refunded_minor` is what has gone back so far."""

    refund_id: UUID
    order_id: str
    reason: str
    """`cancelled_by_player`, `cancelled_by_club`, `paid_too_late`, `paid_twice` as booking owes it; `paid_elsewhere`: at a page that was
    never shown; `by_staff`; `by_provider`: the provider gave it back on its own. Open: more may come."""
    paid_minor: int = Field(ge=0)
    refunded_minor: int = Field(ge=0)


class PaymentRefundRequested(RefundEvent):
    """The money is to go back, and the provider is about to be asked. The player does not have it yet."""

    type: ClassVar[str] = "payment.refund_requested.v1"

    requested_at: AwareDatetime


class PaymentRefunded(RefundEvent):
    """The provider has given the money back."""

    type: ClassVar[str] = "payment.refunded.v1"

    refunded_at: AwareDatetime


class PaymentRefundFailed(RefundEvent):
    """The provider did not give the money back, or took it again from its way: it is still owed, and a person must see to it."""

    type: ClassVar[str] = "payment.refund_failed.v1"

    failed_at: AwareDatetime
    failure: str
    """In the provider's words."""
