"""Polar's lists, by pages of a hundred, the newest first: what is made meanwhile moves rows to a later page, so none is missed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from services.payments.actions import PAGE, Polar
from services.payments.checkouts.actions import checkout
from services.payments.checkouts.domain import Checkout
from services.payments.orders.actions import order
from services.payments.orders.domain import Order
from services.payments.refunds.actions import refund
from services.payments.refunds.domain import PolarRefund


async def orders(polar: Polar, since: datetime | None) -> AsyncIterator[list[Order]]:
    """Those made since then."""
    page, after = 1, since.isoformat() if since else None
    while True:
        async with polar.reading():
            found = await polar.client.orders.list(created_after=after, page=page, limit=PAGE)
        yield [order(one) for one in found.items]
        if page >= found.pagination.max_page:
            return
        page += 1


async def refunds(polar: Polar, since: datetime | None) -> AsyncIterator[list[tuple[str, PolarRefund]]]:
    """Those made since then, each with the id of its order."""
    page = 1
    while True:
        async with polar.reading():
            found = await polar.client.refunds.list(page=page, limit=PAGE)
        yield [(one.order_id, refund(one)) for one in found.items if _is_new(one.created_at, since)]
        if page >= found.pagination.max_page or not all(_is_new(one.created_at, since) for one in found.items):
            return
        page += 1


async def checkouts(polar: Polar, since: datetime | None) -> AsyncIterator[list[Checkout]]:
    """Those made since then. A payment page lives for a day, so to learn of its end one must look back as far."""
    page = 1
    while True:
        async with polar.reading():
            found = await polar.client.checkouts.list(page=page, limit=PAGE)
        yield [checkout(one) for one in found.items if _is_new(one.created_at, since)]
        if page >= found.pagination.max_page or not all(_is_new(one.created_at, since) for one in found.items):
            return
        page += 1


async def charges_without_order(polar: Polar, since: datetime | None) -> list[str]:
    """Charges that Polar made since then and turned into no order: money is taken, and no webhook will ever tell of it."""
    page, found_ids = 1, list[str]()
    while True:
        async with polar.reading():
            found = await polar.client.payments.list(status="succeeded", page=page, limit=PAGE)
        new = [one for one in found.items if _is_new(one.created_at, since)]
        found_ids += [f"{one.id} of checkout {one.checkout_id}" for one in new if one.order_id is None]
        if page >= found.pagination.max_page or len(new) < len(found.items):
            return found_ids
        page += 1


async def disabled_endpoints(polar: Polar) -> list[str]:
    """Addresses that Polar calls no more: ten events in a row failed there, and what came since is skipped."""
    async with polar.reading():
        found = await polar.client.webhooks.list_webhook_endpoints(limit=PAGE)
    return [endpoint.url for endpoint in found.items if not endpoint.enabled]


def _is_new(created_at: str, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(created_at) >= since
