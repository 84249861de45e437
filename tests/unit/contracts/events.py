"""Events as a consumer may meet them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from courtside_contracts.envelope import Envelope
from courtside_contracts.payment import PaymentSucceeded

NOON = datetime(2026, 11, 28, 12, 0, 0, 123456, tzinfo=UTC)

A_PAYMENT = PaymentSucceeded(
    booking_id=UUID("01a20fcf-2145-7601-ab64-d3ccfc997b6d"),
    attempt_id=UUID("01a20fcf-2145-7601-ab64-d3ccfc997b6e"),
    amount_minor=3600,
    currency="EUR",
    order_id="c7a5c0de-0000-4000-8000-000000000001",
    paid_at=NOON,
)

AN_ENVELOPE = Envelope(
    id="01a20fcf-2146-74e1-9937-5e160d48fced",
    type=A_PAYMENT.type,
    source=A_PAYMENT.source,
    time=NOON,
    subject=A_PAYMENT.key,
    traceparent="00-12a7037f4028458c11c32a597a26cd87-6f28050badbcd9c7-01",
    correlation_id="request-7",
)
