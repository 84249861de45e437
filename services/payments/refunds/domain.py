"""The life of a refund, decided without a clock or a database.

    requested ─► calling ─ Polar made it ─► pending ─► succeeded
        ▲           │                          └─────► failed
        └─ not done ┘ unknown: looked up, then called again

Polar may also take back what had succeeded: then it has failed, and the money is owed again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.chassis import problems
from services.chassis.retrying import NotTried
from services.payments.orders.domain import Order

State = Literal["requested", "calling", "pending", "succeeded", "failed"]
UNFINISHED: tuple[State, ...] = ("requested", "calling", "pending")
UNDER_WAY: tuple[State, ...] = ("calling", "pending")

Origin = Literal["booking", "payments", "staff", "polar"]
"""Who wants the money to go back: booking owes it, payments found money at a page that was never shown, a person, or Polar itself."""

REASONS_AT_POLAR = {
    "cancelled_by_player": "customer_request",
    "cancelled_by_club": "service_disruption",
    "paid_too_late": "service_disruption",
    "paid_twice": "duplicate",
    "paid_elsewhere": "duplicate",
}
"""Any other is `other`. Our own reason goes with the refund as its comment and metadata."""

REQUEST_ID = "refund_request_id"
"""The name under which our refund's id goes with Polar's: the only thing to know it by when the answer was lost."""


class RefundExceedsPayment(problems.Conflict):
    """Less than that is left of the payment; `refundable_minor` is how much, what is on its way back counted out."""


class NothingToRefund(problems.Conflict):
    """Nothing was paid here, or all of it has gone back or is on its way."""


class SayWhichOrder(problems.Conflict):
    """More than one order was paid here; `order_ids` lists them."""


class OtherRefundUnderWay(NotTried):
    """One refund of an order at a time: Polar would let two of them pass side by side."""


class CallNotSettled(NotTried):
    """The call broke off a moment ago. Polar lists a refund only after the card's network took it: looked up now, it might be missed."""


@dataclass(frozen=True, slots=True)
class Debt:
    """Money of one order that must go back. Amounts in minor units, taxes within; `paid_minor` is the whole order."""

    order_id: str
    attempt_id: UUID
    booking_id: UUID
    origin: Origin
    reason: str
    amount_minor: int
    paid_minor: int
    currency: str
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class PolarRefund:
    """A refund as Polar has it. `amount_minor` is what the player gets, its tax within; `request_id` is what we gave it."""

    id: str
    request_id: UUID | None
    status: str
    amount_minor: int
    currency: str
    reason: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """One look at an order and its refunds. The refunds may be newer than the order, never older."""

    order: Order
    refunds: Sequence[PolarRefund] = ()


@dataclass(frozen=True, slots=True)
class Gone:
    """How much of an order has gone back, and whether that, or how far the rest is, was news."""

    refunded_minor: int
    news: bool


@dataclass(frozen=True, slots=True)
class Call:
    """What is to be asked of Polar, unless it was done before. `amount_minor` has its tax within.

    `rounded_minor` is how far Polar's rounding may have left more or less than our books say, when all that is left is asked for.
    `called_at` is whose call it is: whoever takes it over writes down another. After `until_monotonic_seconds` it is not made any more.
    """

    refund_id: UUID
    order_id: str
    booking_id: UUID
    amount_minor: int
    reason: str
    comment: str | None
    called_at: datetime
    rounded_minor: int = 0
    until_monotonic_seconds: float = math.inf


class CallTakenOver(NotTried):
    """The process stood still for so long that another may have made the call meanwhile."""


def state_of(status: str) -> State:
    """Polar's `canceled` is as good as failed: the player has nothing."""
    return {"pending": "pending", "succeeded": "succeeded"}.get(status, "failed")  # type: ignore[return-value]  # of the values of `State`


def may_call(state: State, called_at: datetime | None, other_under_way: bool, now: datetime, rest: timedelta) -> bool:
    """Whether Polar is to be asked. Raises when it is not the time to.

    `rest` is how long a call that broke off is left alone: nobody works on it any more by then, and Polar lists what came of it.
    """
    if state not in ("requested", "calling"):
        return False
    if other_under_way:
        raise OtherRefundUnderWay("another refund of this order is under way")
    if state == "calling" and called_at is not None and now < called_at + rest:
        raise CallNotSettled("what came of the call before is not known yet")
    return True


def is_news(state: State, changed_at: datetime | None, seen: PolarRefund) -> bool:
    """Whether a look says something newer than what is known. Looks may come in any order."""
    if changed_at is not None and seen.changed_at < changed_at:
        return False
    return state_of(seen.status) != state and not (state in ("succeeded", "failed") and seen.status == "pending")
