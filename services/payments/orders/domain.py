"""When money at Polar is money for a booking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.payments.checkouts.domain import Quote, State

Mismatch = Literal["unknown-checkout", "other-metadata", "other-currency", "other-amount", "not-paid", "paid-before"]


@dataclass(frozen=True, slots=True)
class Order:
    """An order as Polar has it now. `total_minor` is what the player paid, taxes within; `currency` is upper case."""

    id: str
    checkout_id: str | None
    status: str
    total_minor: int
    currency: str
    metadata: Mapping[str, object]
    paid_at: datetime


def mismatch(order: Order, quote: Quote, state: State) -> Mismatch | None:
    """Why this order confirms nothing, or `None` when it is exactly what the attempt asked for and nobody paid it before."""
    if any(order.metadata.get(name) != value for name, value in quote.metadata().items()):
        return "other-metadata"
    if order.currency != quote.currency:
        return "other-currency"
    if order.total_minor != quote.amount_minor:
        return "other-amount"
    if order.status != "paid":
        return "not-paid"
    return "paid-before" if state == "paid" else None
