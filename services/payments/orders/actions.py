"""Orders at Polar. A webhook only hints that one has changed: what it is, is read here."""

from __future__ import annotations

from datetime import datetime

from polar.v2026_10.outputs import Order as PolarOrder

from services.payments.actions import PAGE, Polar
from services.payments.orders.domain import Order


async def read(polar: Polar, order_id: str) -> Order:
    async with polar.reading():
        return order(await polar.client.orders.get(order_id))


async def of_checkout(polar: Polar, checkout_id: str) -> list[Order]:
    """One, if it was paid: Polar charges a checkout once."""
    async with polar.reading():
        found = await polar.client.orders.list(checkout_id=checkout_id, limit=PAGE)
    return [order(one) for one in found.items]


def order(told: PolarOrder) -> Order:
    """From Polar's words to ours. `paid_at` is its creation: Polar makes the order of a checkout when the charge has succeeded."""
    return Order(
        id=told.id,
        checkout_id=told.checkout_id,
        product_id=told.product_id,
        status=told.status,
        total_minor=told.total_amount,
        refunded_minor=told.refunded_amount + told.refunded_tax_amount,
        refundable_minor=told.refundable_amount,
        refundable_tax_minor=told.refundable_tax_amount,
        currency=told.currency.upper(),
        metadata=told.metadata,
        paid_at=datetime.fromisoformat(told.created_at),
    )
