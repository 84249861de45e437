"""When money at Polar is money for a booking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.payments.checkouts.domain import Attempt

Mismatch = Literal[
    "unknown-checkout",
    "other-checkout",
    "other-product",
    "other-metadata",
    "other-currency",
    "other-amount",
    "not-paid",
]
"""unknown-checkout: nothing of ours. other-checkout: it names an attempt of ours and was paid at a page that was never shown."""

NO_MONEY_YET = ("draft", "pending", "void")
MONEY_IS_THERE = ("paid", "partially_refunded")
MONEY_CAME = (*MONEY_IS_THERE, "refunded")
"""Also when some or all of it has gone back since: Polar may refund before we hear of the payment."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as Polar has it now.

    `total_minor` is what the player paid, taxes within, and `refunded_minor` what of it went back; `refundable_minor` is what still may,
    and is without its tax `refundable_tax_minor`: Polar adds that by itself. `currency` is upper case.
    """

    id: str
    checkout_id: str | None
    product_id: str | None
    status: str
    total_minor: int
    refunded_minor: int
    refundable_minor: int
    refundable_tax_minor: int
    currency: str
    metadata: Mapping[str, object]
    paid_at: datetime

    def net(self, amount_minor: int, rounded_minor: int = 0) -> int:
        """What to ask of Polar, so that the player gets `amount_minor` with its share of the tax, or all that is left. 0: nothing is.

        All that is left is asked for to the cent: a share that was rounded would leave a rest. Parts that were rounded before may have
        left up to `rounded_minor` more.
        """
        left = self.refundable_minor + self.refundable_tax_minor
        if amount_minor + rounded_minor >= left:
            return self.refundable_minor
        return max(1, round(amount_minor * self.refundable_minor / left))


def mismatch(order: Order, attempt: Attempt, product_id: str) -> Mismatch | None:
    """Why this order confirms nothing, or `None` when it is exactly what the attempt asked for."""
    quote = attempt.quote
    if any(order.metadata.get(name) != value for name, value in quote.metadata().items()):
        return "other-metadata"
    if order.checkout_id != attempt.checkout_id:
        return "other-checkout"
    if order.product_id != product_id:
        return "other-product"
    if order.currency != quote.currency:
        return "other-currency"
    if order.total_minor != quote.amount_minor:
        return "other-amount"
    return None if order.status in MONEY_CAME else "not-paid"
