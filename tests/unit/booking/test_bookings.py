from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from services.booking.bookings.domain import (
    AmountDiffers,
    BookingNotHeld,
    CheckoutNotReady,
    HoldExpired,
    HoldNotOver,
    PaymentTooLate,
    SlotBeyondHorizon,
    SlotInThePast,
    SlotNotOnGrid,
    choose_slot,
)
from services.booking.venues.domain import Court
from tests.unit.booking.clubs import CENTRAL, CLUB, NOW, SIDE, a_hold, evening_slot


def test_a_hold_lasts_as_long_as_the_club_says_and_freezes_the_price() -> None:
    hold = a_hold()
    assert hold.hold_expires_at == NOW + timedelta(minutes=15)
    assert (hold.price_minor, hold.currency, hold.status, hold.version) == (3600, "EUR", "held", 1)


def test_a_payment_confirms_a_hold_once() -> None:
    hold = a_hold()
    assert hold.confirm("order-1", 3600, "EUR")
    assert (hold.status, hold.version, hold.hold_expires_at) == ("confirmed", 2, None)
    assert not hold.confirm("order-1", 3600, "EUR")
    assert hold.version == 2


def test_a_second_order_for_a_confirmed_booking_is_too_late() -> None:
    hold = a_hold()
    hold.confirm("order-1", 3600, "EUR")
    with pytest.raises(PaymentTooLate):
        hold.confirm("order-2", 3600, "EUR")


@pytest.mark.parametrize(("amount", "currency"), [(3599, "EUR"), (3601, "EUR"), (3600, "USD")])
def test_only_the_frozen_price_confirms(amount: int, currency: str) -> None:
    with pytest.raises(AmountDiffers):
        a_hold().confirm("order-1", amount, currency)


def test_a_hold_expires_at_its_end_and_not_before() -> None:
    hold = a_hold()
    with pytest.raises(HoldNotOver):
        hold.expire(NOW + timedelta(minutes=15) - timedelta(microseconds=1))
    hold.expire(NOW + timedelta(minutes=15))
    assert (hold.status, hold.version) == ("expired", 2)
    with pytest.raises(HoldNotOver):
        hold.expire(NOW + timedelta(minutes=16))


def test_the_checkout_opens_once_the_page_is_made_and_closes_with_the_hold() -> None:
    hold = a_hold()
    with pytest.raises(CheckoutNotReady):
        hold.checkout(NOW)
    hold.checkout_url = "https://pay.example/c1"
    assert hold.checkout(NOW) == "https://pay.example/c1"
    with pytest.raises(HoldExpired):
        hold.checkout(NOW + timedelta(minutes=15))
    hold.confirm("order-1", 3600, "EUR")
    with pytest.raises(BookingNotHeld):
        hold.checkout(NOW)


def test_a_slot_is_chosen_from_the_grid_of_its_court() -> None:
    assert choose_slot(CLUB, CENTRAL, evening_slot().starts_at, NOW) == evening_slot()
    with pytest.raises(SlotNotOnGrid) as refused:
        choose_slot(CLUB, CENTRAL, evening_slot().starts_at + timedelta(minutes=30), NOW)
    assert len(refused.value.extras["slots_of_that_day"]) == 10


def test_a_slot_that_has_begun_cannot_be_held() -> None:
    with pytest.raises(SlotInThePast):
        choose_slot(CLUB, CENTRAL, evening_slot().starts_at, evening_slot().starts_at)


def test_the_horizon_counts_local_days() -> None:
    last_evening = datetime(2026, 12, 24, 20, 30, tzinfo=UTC)
    assert choose_slot(CLUB, CENTRAL, last_evening, NOW).starts_at == last_evening
    with pytest.raises(SlotBeyondHorizon) as refused:
        choose_slot(CLUB, CENTRAL, datetime(2026, 12, 25, 7, tzinfo=UTC), NOW)
    assert refused.value.extras["last_bookable_day"] == "2026-12-24"


@pytest.mark.parametrize(
    ("court", "hour_utc", "price"),
    [
        (CENTRAL, 16, 2400),
        (CENTRAL, 17, 3600),
        (CENTRAL, 20, 3600),
        (CENTRAL, 21, 2400),
        (SIDE, 17, 1200),
        (SIDE, 9, 2400),
    ],
)
def test_the_rule_with_the_highest_priority_sets_the_price(court: Court, hour_utc: int, price: int) -> None:
    assert CLUB.price(court, datetime(2026, 11, 27, hour_utc, tzinfo=UTC)) == price
