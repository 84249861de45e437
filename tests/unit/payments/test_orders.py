"""Which orders of Polar are money for a booking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.payments.checkouts.domain import Checkout, CheckoutIsNotWhatWasAsked, Quote
from services.payments.orders.domain import Order, mismatch

QUOTE = Quote(UUID(int=1), UUID(int=2), amount_minor=2400, currency="EUR")
ORDER = Order(
    id="o1",
    checkout_id="c1",
    status="paid",
    total_minor=2400,
    currency="EUR",
    metadata=QUOTE.metadata(),
    paid_at=datetime(2026, 11, 1, tzinfo=UTC),
)


def test_an_order_over_the_frozen_price_pays_for_the_booking() -> None:
    assert mismatch(ORDER, QUOTE, "open") is None


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        ({"total_minor": 2399}, "other-amount"),
        ({"total_minor": 2401}, "other-amount"),
        ({"currency": "USD"}, "other-currency"),
        ({"metadata": {}}, "other-metadata"),
        ({"metadata": QUOTE.metadata() | {"booking_id": str(UUID(int=9))}}, "other-metadata"),
        ({"metadata": QUOTE.metadata() | {"attempt_id": 7}}, "other-metadata"),
        ({"status": "pending"}, "not-paid"),
        ({"status": "refunded"}, "not-paid"),
        ({"status": "a status of next year"}, "not-paid"),
    ],
)
def test_an_order_that_differs_confirms_nothing(difference: dict[str, Any], reason: str) -> None:
    assert mismatch(replace(ORDER, **difference), QUOTE, "open") == reason


def test_the_second_order_for_one_attempt_is_surplus() -> None:
    assert mismatch(ORDER, QUOTE, "paid") == "paid-before"


@pytest.mark.parametrize(("amount_minor", "currency"), [(2500, "EUR"), (2400, "USD")])
def test_a_checkout_of_another_price_is_never_shown(amount_minor: int, currency: str) -> None:
    checkout = Checkout("c1", "http://polar.example/c1", datetime(2026, 11, 2, tzinfo=UTC), amount_minor, currency)
    with pytest.raises(CheckoutIsNotWhatWasAsked):
        checkout.must_ask_for(QUOTE)
