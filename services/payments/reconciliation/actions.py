"""Polar's lists, by pages of a hundred, the newest first: what is made meanwhile moves rows to a later page, so none is missed.

One row that the SDK does not understand hides none of its neighbours: then they are read one by one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import stamina
from polar import PolarDeserializationError
from polar.base import deserialize
from polar.v2026_10 import outputs

from services.payments.actions import PAGE, Polar
from services.payments.checkouts.actions import checkout
from services.payments.checkouts.domain import Checkout
from services.payments.failures import NotDone, NotUnderstood
from services.payments.orders.actions import order
from services.payments.orders.domain import Order
from services.payments.refunds.actions import refund
from services.payments.refunds.domain import PolarRefund

TRIES = 5
LONGEST_PAUSE = timedelta(minutes=1)
"""Polar counts requests per minute."""
SHORTEST_PAUSE = timedelta(milliseconds=100)

T = TypeVar("T")


@dataclass
class Listed(Generic[T]):
    """One page. `unreadable` are the ids of orders, or of payment pages, that the SDK does not understand."""

    items: list[T]
    last_page: int
    all_new: bool = True
    unreadable: list[str] = field(default_factory=list)


async def paced(call: Callable[[], Awaitable[T]]) -> T:
    """The call, and once more after as long as Polar says when it allows no more for now."""
    async for attempt in stamina.retry_context(on=_pause, attempts=TRIES, timeout=None):
        with attempt:
            return await call()
    raise AssertionError("unreachable: the last attempt returns or raises")


def _pause(error: Exception) -> bool | timedelta:
    if isinstance(error, NotDone) and error.retry_after is not None:
        return min(max(error.retry_after, SHORTEST_PAUSE), LONGEST_PAUSE)
    return False


async def orders(polar: Polar, since: datetime | None) -> AsyncIterator[Listed[Order]]:
    """Those made since then."""
    page, after = 1, since.isoformat() if since else None
    while True:
        ask = lambda page=page: polar.client.orders.list(created_after=after, page=page, limit=PAGE)  # noqa: E731
        found = await _page(polar, ask, outputs.Order, "id")
        yield Listed([order(one) for one in found.items], found.last_page, unreadable=found.unreadable)
        if page >= found.last_page:
            return
        page += 1


async def refunds(polar: Polar, since: datetime | None) -> AsyncIterator[Listed[tuple[str, PolarRefund]]]:
    """Those made since then, each with the id of its order."""
    page = 1
    while True:
        ask = lambda page=page: polar.client.refunds.list(page=page, limit=PAGE)  # noqa: E731
        found = await _page(polar, ask, outputs.Refund, "order_id", since)
        yield Listed([(one.order_id, refund(one)) for one in found.items], found.last_page, unreadable=found.unreadable)
        if page >= found.last_page or not found.all_new:
            return
        page += 1


async def checkouts(polar: Polar, since: datetime | None) -> AsyncIterator[Listed[Checkout]]:
    """Those made since then. A payment page lives for a day, so to learn of its end one must look back as far."""
    page = 1
    while True:
        ask = lambda page=page: polar.client.checkouts.list(page=page, limit=PAGE)  # noqa: E731
        found = await _page(polar, ask, outputs.Checkout, "id", since)
        yield Listed([checkout(one) for one in found.items], found.last_page, unreadable=found.unreadable)
        if page >= found.last_page or not found.all_new:
            return
        page += 1


async def _page(
    polar: Polar, ask: Callable[[], Awaitable[Any]], model: type[T], named: str, since: datetime | None = None
) -> Listed[T]:
    """Those of a page that are new. `named` is where an unreadable one says whose it is."""

    async def once() -> Any:
        async with polar.reading():
            return await ask()

    try:
        told = await paced(once)
    except NotUnderstood as error:
        found = _one_by_one(polar, model, named, error)
    else:
        found = Listed(list(told.items), told.pagination.max_page)
    new = [one for one in found.items if _is_new(getattr(one, "created_at"), since)]  # noqa: B009 - each kind has one
    return Listed(new, found.last_page, len(new) == len(found.items), found.unreadable)


def _one_by_one(polar: Polar, model: type[T], named: str, error: NotUnderstood) -> Listed[T]:
    """Raises `error` when it is no list at all."""
    try:
        body = polar.body()
        found = Listed[T]([], body["pagination"]["max_page"])
        for one in body["items"]:
            try:
                found.items.append(deserialize(one, model))
            except PolarDeserializationError:
                found.unreadable.append(str(one[named]))
    except (ValueError, KeyError, TypeError):
        raise error from None
    return found


async def charges_without_order(polar: Polar, since: datetime | None, before: datetime) -> list[str]:
    """Charges that Polar made in this time and turned into no order: money is taken, and no webhook will ever tell of it."""
    page, found_ids = 1, list[str]()

    async def listed() -> outputs.ListResourcePayment:
        async with polar.reading():
            return await polar.client.payments.list(status="succeeded", page=page, limit=PAGE)

    while True:
        found = await paced(listed)
        new = [one for one in found.items if _is_new(one.created_at, since)]
        odd = [one for one in new if one.order_id is None and not _is_new(one.created_at, before)]
        found_ids += [f"{one.id} of checkout {one.checkout_id}" for one in odd]
        if page >= found.pagination.max_page or len(new) < len(found.items):
            return found_ids
        page += 1


async def disabled_endpoints(polar: Polar) -> list[str]:
    """Addresses that Polar calls no more: ten events in a row failed there, and what came since is skipped."""

    async def listed() -> outputs.ListResourceWebhookEndpoint:
        async with polar.reading():
            return await polar.client.webhooks.list_webhook_endpoints(limit=PAGE)

    found = await paced(listed)
    return [endpoint.url for endpoint in found.items if not endpoint.enabled]


def _is_new(created_at: str, since: datetime | None) -> bool:
    return since is None or datetime.fromisoformat(created_at) >= since
