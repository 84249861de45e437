"""What staff see of a payment. Amounts are minor units of an ISO 4217 currency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.payments.accounts.domain import Account, Charge
from services.payments.checkouts.domain import State
from services.payments.history.domain import Step
from services.payments.history.tables import HistoryEntry
from services.payments.orders.domain import Mismatch
from services.payments.refunds import domain as refunds
from services.payments.refunds.tables import Refund

Text = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")]


class RefundIn(BaseModel):
    """All that is left of the payment, unless an amount is given. `order_id` is needed only where more than one order was paid."""

    model_config = ConfigDict(extra="forbid", title="RefundPayment")

    reason: Text = Field(description="Why, for whoever reads the timeline", examples=["The lights went out"])
    amount_minor: int | None = Field(default=None, gt=0, le=2**31 - 1, examples=[1200])
    order_id: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[^\x00]*$")


class MoneyOut(BaseModel):
    model_config = ConfigDict(title="Money")

    amount: int
    currency: str


class PaymentLinks(BaseModel):
    self: str
    refund: str | None = Field(description="Where to give it back, while something is left")


class PaymentOut(BaseModel):
    """`state` is that of the page to pay at. `refundable` is what has neither gone back nor is on its way."""

    model_config = ConfigDict(title="Payment")

    id: UUID
    booking_id: UUID
    state: State
    price: MoneyOut
    paid: MoneyOut
    refunded: MoneyOut
    refundable: MoneyOut
    refund_failed: bool = Field(description="A refund did not come about: the money is still owed")
    created_at: datetime
    changed_at: datetime
    links: PaymentLinks


class PaymentsOut(BaseModel):
    """The oldest first."""

    model_config = ConfigDict(title="Payments")

    items: list[PaymentOut]


class OrderOut(BaseModel):
    """One charge at Polar. `doubt` says why it confirms nothing."""

    model_config = ConfigDict(title="PaidOrder")

    id: str
    amount: MoneyOut
    refunded: MoneyOut
    refundable: MoneyOut
    doubt: Mismatch | None
    at: datetime


class RefundOut(BaseModel):
    """`amount` was asked for, `refunded` is what the player got by it. `reason` is a person's where one asked for it."""

    model_config = ConfigDict(title="Refund")

    id: UUID
    payment_id: UUID
    order_id: str
    state: refunds.State
    origin: refunds.Origin
    reason: str
    amount: MoneyOut
    refunded: MoneyOut
    failure: str | None
    requested_at: datetime
    changed_at: datetime


class StepOut(BaseModel):
    """`actor` is `booking`, `payments`, `polar`, `reconciler`, or the id of the user who decided."""

    model_config = ConfigDict(title="PaymentStep")

    at: datetime
    step: Step
    actor: str
    details: dict[str, Any]


class PaymentDetailOut(PaymentOut):
    """With every charge, every refund, and all that happened, the oldest first."""

    model_config = ConfigDict(title="PaymentDetail")

    orders: list[OrderOut]
    refunds: list[RefundOut]
    timeline: list[StepOut]


def payment(account: Account) -> dict[str, Any]:
    attempt = account.attempt
    path = f"/v1/payments/{attempt.id}"
    return {
        "id": attempt.id,
        "booking_id": attempt.booking_id,
        "state": attempt.state,
        "price": money(attempt.amount_minor, attempt.currency),
        "paid": money(account.paid_minor, attempt.currency),
        "refunded": money(account.refunded_minor, attempt.currency),
        "refundable": money(account.refundable_minor, attempt.currency),
        "refund_failed": any(one.state == "failed" and one.failure for one in account.refunds)
        and account.refundable_minor > 0,
        "created_at": attempt.created_at,
        "changed_at": max([attempt.changed_at, *(one.changed_at for one in account.refunds)]),
        "links": {"self": path, "refund": f"{path}/refund" if account.refundable_minor else None},
    }


def detail(account: Account, history: Sequence[HistoryEntry]) -> dict[str, Any]:
    return payment(account) | {
        "orders": [_order(charge) for charge in account.charges],
        "refunds": [refund(one) for one in account.refunds],
        "timeline": [{"at": e.at, "step": e.step, "actor": e.actor, "details": e.details} for e in history],
    }


def refund(one: Refund) -> dict[str, Any]:
    return {
        "id": one.id,
        "payment_id": one.attempt_id,
        "order_id": one.polar_order_id,
        "state": one.state,
        "origin": one.origin,
        "reason": one.comment or one.reason,
        "amount": money(one.amount_minor, one.currency),
        "refunded": money(one.refunded_minor or 0, one.currency),
        "failure": one.failure,
        "requested_at": one.requested_at,
        "changed_at": one.changed_at,
    }


def money(amount_minor: int, currency: str) -> dict[str, Any]:
    return {"amount": amount_minor, "currency": currency}


def _order(charge: Charge) -> dict[str, Any]:
    return {
        "id": charge.order_id,
        "amount": money(charge.amount_minor, charge.currency),
        "refunded": money(charge.refunded_minor, charge.currency),
        "refundable": money(charge.refundable_minor, charge.currency),
        "doubt": charge.doubt,
        "at": charge.at,
    }
