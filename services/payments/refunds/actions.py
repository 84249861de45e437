"""Refunds at Polar: ask for one, or find the one whose answer was lost."""

from __future__ import annotations

import time
from datetime import datetime
from typing import cast
from uuid import UUID

from polar.v2026_10.inputs import RefundCreate
from polar.v2026_10.outputs import Refund as ToldRefund

from services.payments.actions import PAGE, Polar
from services.payments.orders import actions as orders
from services.payments.refunds.domain import (
    REASONS_AT_POLAR,
    REQUEST_ID,
    Call,
    CallTakenOver,
    PolarRefund,
    Sighting,
)


async def look(polar: Polar, order_id: str) -> Sighting:
    """An order and all its refunds, in this order: the refunds are the newer half."""
    order = await orders.read(polar, order_id)
    return Sighting(order, await of_order(polar, order_id))


async def of_order(polar: Polar, order_id: str) -> tuple[PolarRefund, ...]:
    """More than a page of refunds of one order is not to be had: each gives back at least one cent of a handful of euros."""
    async with polar.reading():
        found = await polar.client.refunds.list(order_id=order_id, limit=PAGE)
    return tuple(refund(one) for one in found.items)


async def create(polar: Polar, call: Call, net_minor: int) -> PolarRefund:
    """`net_minor` is without tax: Polar adds the tax's share. Raises `CallTakenOver` when it is too late to call."""
    if time.monotonic() > call.until_monotonic_seconds:
        raise CallTakenOver("this process stood still between its look at Polar and the call")
    asked: RefundCreate = {
        "order_id": call.order_id,
        "reason": cast("RefundCreate", {"reason": REASONS_AT_POLAR.get(call.reason, "other")})["reason"],
        "amount": net_minor,
        "comment": call.comment or call.reason,
        "metadata": {REQUEST_ID: str(call.refund_id), "booking_id": str(call.booking_id), "cause": call.reason},
    }
    async with polar.writing():
        return refund(await polar.client.refunds.create(**asked))


def refund(told: ToldRefund) -> PolarRefund:
    """From Polar's words to ours."""
    return PolarRefund(
        id=told.id,
        request_id=_request_id(told.metadata.get(REQUEST_ID)),
        status=told.status,
        amount_minor=told.amount + told.tax_amount,
        currency=told.currency.upper(),
        reason=told.reason,
        changed_at=datetime.fromisoformat(told.modified_at or told.created_at),
    )


def _request_id(named: object) -> UUID | None:
    try:
        return UUID(named) if isinstance(named, str) else None
    except ValueError:
        return None
