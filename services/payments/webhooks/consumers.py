"""Kafka in: what Polar hinted at. The webhook says only where to look; what is true is asked of Polar."""

from __future__ import annotations

from services.chassis.consuming import Delivery
from services.payments.actions import Polar
from services.payments.orders import actions, mutations
from services.payments.webhooks.domain import PolarWebhook


async def take_up(delivery: Delivery[PolarWebhook], polar: Polar) -> None:
    """Only `order.paid` is money: a checkout that is `confirmed` or an order that was `updated` may still be declined."""
    webhook = delivery.event
    if webhook.kind != "order.paid":
        return
    order = await actions.read(polar, webhook.order_id)
    async with delivery.once() as work:
        await mutations.record(work, order)
