"""What a payment comes to: what was paid, what has gone back, and what still may."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.chassis import problems
from services.payments.checkouts.tables import PaymentAttempt
from services.payments.orders.domain import Mismatch
from services.payments.orders.tables import PaidOrder
from services.payments.quarantine.tables import QuarantinedOrder
from services.payments.refunds.domain import NothingToRefund, RefundExceedsPayment, SayWhichOrder
from services.payments.refunds.sums import promised_minor, refunded_minor
from services.payments.refunds.tables import Refund

MONEY = ("paid", "partially_refunded", "refunded")
"""Statuses of an order at Polar that was charged for."""


class PaymentNotFound(problems.NotFound):
    """There is no such payment, or it is another venue's."""


@dataclass(frozen=True)
class Charge:
    """Money that Polar took once. `doubt` is why it confirms nothing."""

    order_id: str
    amount_minor: int
    currency: str
    at: datetime
    doubt: Mismatch | None
    refunds: Sequence[Refund]

    @property
    def refunded_minor(self) -> int:
        return refunded_minor(self.refunds)

    @property
    def refundable_minor(self) -> int:
        """What is on its way back counted out; Polar's own refund and ours may be on their way for the same money."""
        return max(0, self.amount_minor - promised_minor(self.refunds))


@dataclass(frozen=True)
class Account:
    """One attempt to be paid, and all that was paid and given back for it."""

    attempt: PaymentAttempt
    charges: Sequence[Charge]
    refunds: Sequence[Refund]

    @classmethod
    def of(
        cls,
        attempt: PaymentAttempt,
        orders: Sequence[PaidOrder],
        doubted: Sequence[QuarantinedOrder],
        refunds: Sequence[Refund],
    ) -> Account:
        """The rows of other attempts are left out."""
        mine = [refund for refund in refunds if refund.attempt_id == attempt.id]
        charges = [
            Charge(one.polar_order_id, one.amount_minor, one.currency, one.paid_at, None, _of(one.polar_order_id, mine))
            for one in orders
            if one.attempt_id == attempt.id
        ]
        odd = {one.polar_order_id: one for one in doubted if one.attempt_id == attempt.id and one.status in MONEY}
        charges += [
            Charge(order_id, one.amount_minor, one.currency, one.found_at, one.reason, _of(order_id, mine))
            for order_id, one in odd.items()
        ]
        return cls(attempt, charges, mine)

    @property
    def paid_minor(self) -> int:
        return sum(charge.amount_minor for charge in self.charges)

    @property
    def refunded_minor(self) -> int:
        return sum(charge.refunded_minor for charge in self.charges)

    @property
    def refundable_minor(self) -> int:
        return sum(charge.refundable_minor for charge in self.charges)

    def to_refund(self, order_id: str | None, amount_minor: int | None) -> tuple[Charge, int]:
        """Of which charge, and how much. All that is left of the only one, unless something else is said."""
        left = [one for one in self.charges if one.refundable_minor > 0 and order_id in (None, one.order_id)]
        if not left:
            raise NothingToRefund("Nothing was paid here that has not gone back or is on its way.")
        if len(left) > 1:
            raise SayWhichOrder(
                "More than one order was paid here: say which.", order_ids=[one.order_id for one in left]
            )
        (charge,) = left
        if amount_minor is not None and amount_minor > charge.refundable_minor:
            raise RefundExceedsPayment("Less is left of the payment.", refundable_minor=charge.refundable_minor)
        return charge, amount_minor or charge.refundable_minor


def _of(order_id: str, refunds: Sequence[Refund]) -> list[Refund]:
    return [refund for refund in refunds if refund.polar_order_id == order_id]
