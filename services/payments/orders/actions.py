"""Orders at Polar. A webhook only hints that one has changed: what it is, is read here."""

from __future__ import annotations

from datetime import datetime

from services.payments.actions import Polar
from services.payments.orders.domain import Order


async def read(polar: Polar, order_id: str) -> Order:
    """`paid_at` is the order's creation: Polar makes the order of a checkout when the charge has succeeded."""
    async with polar.reading():
        order = await polar.client.orders.get(order_id)
    return Order(
        id=order.id,
        checkout_id=order.checkout_id,
        status=order.status,
        total_minor=order.total_amount,
        currency=order.currency.upper(),
        metadata=order.metadata,
        paid_at=datetime.fromisoformat(order.created_at),
    )
