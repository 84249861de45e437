"""What staff see of money that fits no payment. Amounts are minor units of an ISO 4217 currency."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.payments.accounts.representation import MoneyOut, money
from services.payments.orders.domain import Mismatch
from services.payments.quarantine.tables import QuarantinedOrder


class QuarantinedOut(BaseModel):
    """`payment_id` is the payment that it names, where it can be given back. Without one, it is none of ours: give it back at Polar."""

    model_config = ConfigDict(title="QuarantinedOrder")

    id: UUID
    order_id: str
    reason: Mismatch
    order_status: str = Field(description="As Polar had it when it was found")
    amount: MoneyOut
    checkout_id: str | None
    payment_id: UUID | None
    booking_id: UUID | None
    found_at: datetime
    settled_at: datetime | None = Field(description="When all of it had gone back")


class QuarantineOut(BaseModel):
    """The oldest first."""

    model_config = ConfigDict(title="Quarantine")

    items: list[QuarantinedOut]
    next_cursor: str | None


def quarantined(row: QuarantinedOrder) -> dict[str, Any]:
    return {
        "id": row.id,
        "order_id": row.polar_order_id,
        "reason": row.reason,
        "order_status": row.status,
        "amount": money(row.amount_minor, row.currency),
        "checkout_id": row.checkout_id,
        "payment_id": row.attempt_id,
        "booking_id": row.booking_id,
        "found_at": row.found_at,
        "settled_at": row.settled_at,
    }
