"""Which orders of Polar are money for a booking."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.checkouts.domain import Attempt, Checkout, CheckoutIsNotWhatWasAsked, Quote, State
from services.payments.orders.domain import Order, mismatch

QUOTE = Quote(UUID(int=1), UUID(int=2), amount_minor=2400, currency="EUR")
ATTEMPT = Attempt(QUOTE, "open", "c1")
ORDER = Order(
    id="o1",
    checkout_id="c1",
    product_id="p1",
    status="paid",
    total_minor=2400,
    refunded_minor=0,
    refundable_minor=2400,
    refundable_tax_minor=0,
    currency="EUR",
    metadata=QUOTE.metadata(),
    paid_at=datetime(2026, 11, 1, tzinfo=UTC),
)


@pytest.mark.parametrize("state", ["creating", "open", "paid", "lapsed"])
@pytest.mark.parametrize("status", ["paid", "refunded"])
def test_an_order_over_the_frozen_price_is_money_for_the_booking(state: State, status: str) -> None:
    """Also when it comes late, twice, or has gone back already: the booking decides what becomes of it."""
    assert mismatch(replace(ORDER, status=status), replace(ATTEMPT, state=state), "p1") is None


@pytest.mark.parametrize(
    ("difference", "reason"),
    [
        ({"total_minor": 2399}, "other-amount"),
        ({"total_minor": 2401}, "other-amount"),
        ({"currency": "USD"}, "other-currency"),
        ({"product_id": "p2"}, "other-product"),
        ({"product_id": None}, "other-product"),
        ({"checkout_id": "c2"}, "other-checkout"),
        ({"metadata": {}}, "other-metadata"),
        ({"metadata": QUOTE.metadata() | {"booking_id": str(UUID(int=9))}}, "other-metadata"),
        ({"metadata": QUOTE.metadata() | {"attempt_id": 7}}, "other-metadata"),
        ({"status": "pending"}, "not-paid"),
        ({"status": "a status of next year"}, "not-paid"),
    ],
)
def test_an_order_that_differs_confirms_nothing(difference: dict[str, Any], reason: str) -> None:
    assert mismatch(replace(ORDER, **difference), ATTEMPT, "p1") == reason


def test_all_that_is_left_goes_back_to_the_cent() -> None:
    """19 % tax within 24 euros: any share that were computed would leave a cent, or ask for one too many."""
    taxed = replace(ORDER, refundable_minor=2017, refundable_tax_minor=383)
    assert [taxed.net(amount) for amount in (2400, 2500)] == [2017, 2017]
    assert taxed.net(1200) == 1008
    assert taxed.net(1) == 1
    assert replace(ORDER, refundable_minor=0).net(2400) == 0


def test_an_order_of_which_polar_gave_back_a_part_is_paid() -> None:
    assert mismatch(replace(ORDER, status="partially_refunded"), ATTEMPT, "p1") is None


def test_the_last_part_takes_what_the_rounding_of_those_before_it_left() -> None:
    """14 of 24 euros are asked for, and a part of 10 before it was rounded down: 14.01 are left."""
    taxed = replace(ORDER, refundable_minor=1178, refundable_tax_minor=223)
    assert taxed.net(1400, rounded_minor=1) == 1178
    assert taxed.net(1400) == 1177
    assert replace(ORDER, refundable_minor=2400, refundable_tax_minor=0).net(1400, rounded_minor=1) == 1400


@given(st.integers(1, 10**7), st.integers(0, 27), st.data())
def test_a_part_never_asks_for_more_than_is_left(total: int, tax_percent: int, data: st.DataObject) -> None:
    tax = total * tax_percent // (100 + tax_percent)
    order = replace(ORDER, refundable_minor=total - tax, refundable_tax_minor=tax)
    assert 1 <= order.net(data.draw(st.integers(1, total))) <= total - tax


@pytest.mark.parametrize(("amount_minor", "currency"), [(2500, "EUR"), (2400, "USD")])
def test_a_checkout_of_another_price_is_never_shown(amount_minor: int, currency: str) -> None:
    noon = datetime(2026, 11, 2, tzinfo=UTC)
    checkout = Checkout("c1", "http://polar.example/c1", "open", noon, noon, amount_minor, currency, {})
    with pytest.raises(CheckoutIsNotWhatWasAsked):
        checkout.must_ask_for(QUOTE)
