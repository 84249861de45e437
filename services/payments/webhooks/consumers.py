"""Kafka in: what Polar hinted at. The webhook says only where to look; what is true is asked of Polar."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.consuming import Delivery
from services.payments.actions import Polar
from services.payments.checkouts import actions as checkouts
from services.payments.checkouts.mutations import lapse
from services.payments.checkouts.queries import attempt_at, is_unfinished
from services.payments.history.domain import POLAR
from services.payments.orders import actions as orders
from services.payments.orders.mutations import take_up
from services.payments.refunds import actions as refunds
from services.payments.refunds.domain import Sighting
from services.payments.webhooks.domain import PolarWebhook


async def look_where_told(delivery: Delivery[PolarWebhook], polar: Polar) -> None:
    """Only an order is money: a checkout that is `confirmed`, or an order that was `updated`, may still be declined."""
    webhook = delivery.event
    if webhook.is_about_a_checkout:
        await _look_at_checkout(delivery, polar)
    elif webhook.is_about_money:
        seen = await _look_at_order(webhook, polar)
        async with delivery.once() as work:
            await take_up(work, seen, polar.product_id, POLAR)


async def _look_at_order(webhook: PolarWebhook, polar: Polar) -> Sighting:
    """A payment that nothing was given back of needs one call only."""
    if webhook.kind != "order.paid":
        return await refunds.look(polar, webhook.order_id)
    order = await orders.read(polar, webhook.order_id)
    return Sighting(order, await refunds.of_order(polar, order.id) if order.refunded_minor else ())


async def _look_at_checkout(delivery: Delivery[PolarWebhook], polar: Polar) -> None:
    """Its money, should the order's own webhook not come; or its end."""
    checkout_id = delivery.event.subject_id
    async with delivery.unit_of_work() as work:
        waits = await is_unfinished(work.session, checkout_id)
    seen: Sequence[Sighting] = ()
    over = False
    if waits:
        checkout = await checkouts.read(polar, checkout_id)
        over = checkout.is_over
        if checkout.status == "succeeded":
            seen = [await refunds.look(polar, order.id) for order in await orders.of_checkout(polar, checkout_id)]
    async with delivery.once() as work:
        for one in seen:
            await take_up(work, one, polar.product_id, POLAR)
        if over and (attempt_id := await attempt_at(work.session, checkout_id)):
            await lapse(work, attempt_id, POLAR)
