"""Domain to contract: the only translation."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from courtside_contracts.payment import PaymentRefunded, PaymentRefundFailed, PaymentRefundRequested
from services.payments.refunds.tables import Refund


def refund_requested(refund: Refund, refunded_minor: int) -> PaymentRefundRequested:
    return PaymentRefundRequested(**_facts(refund, refunded_minor), requested_at=refund.requested_at)


def refunded(refund: Refund, refunded_minor: int, at: datetime) -> PaymentRefunded:
    facts = _facts(refund, refunded_minor) | {"amount_minor": refund.refunded_minor}
    return PaymentRefunded(**facts, refunded_at=at)


def refund_failed(refund: Refund, refunded_minor: int, at: datetime) -> PaymentRefundFailed:
    return PaymentRefundFailed(**_facts(refund, refunded_minor), failed_at=at, failure=refund.failure or "")


def _facts(refund: Refund, refunded_minor: int) -> dict[str, Any]:
    return {
        "booking_id": refund.booking_id,
        "attempt_id": refund.attempt_id,
        "amount_minor": refund.amount_minor,
        "currency": refund.currency,
        "refund_id": refund.id,
        "order_id": refund.polar_order_id,
        "reason": refund.reason,
        "paid_minor": refund.paid_minor,
        "refunded_minor": refunded_minor,
    }
