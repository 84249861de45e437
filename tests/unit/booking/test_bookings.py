from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from services.booking.bookings.choosing import SlotBeyondHorizon, SlotInThePast, SlotNotOnGrid, choose_slot
from services.booking.bookings.domain import (
    AmountDiffers,
    Booking,
    CancellationWindowClosed,
    CheckoutNotReady,
    HoldExpired,
    NotYetTime,
    RefundDue,
)
from services.booking.bookings.life_cycle import TRANSITIONS, Status, TransitionNotPossible, Trigger, document
from services.booking.venues.domain import Court
from tests.unit.booking.clubs import (
    BOOKING,
    CENTRAL,
    CLUB,
    NOW,
    PLAYER,
    SIDE,
    a_confirmed_booking,
    a_hold,
    evening_slot,
)


def test_a_hold_lasts_as_long_as_the_club_says_and_freezes_the_price() -> None:
    hold = a_hold()
    assert hold.hold_expires_at == NOW + timedelta(minutes=15)
    assert (hold.price_minor, hold.currency, hold.status, hold.version) == (3600, "EUR", "held", 1)


def test_a_payment_confirms_a_hold() -> None:
    hold = a_hold()
    hold.pay("order-1", 3600, "EUR")
    assert (hold.status, hold.version, hold.hold_expires_at) == ("confirmed", 2, None)
    assert hold.knows("order-1")
    assert not hold.knows("order-2")


@pytest.mark.parametrize(("amount", "currency"), [(3599, "EUR"), (3601, "EUR"), (3600, "USD")])
def test_only_the_frozen_price_confirms(amount: int, currency: str) -> None:
    with pytest.raises(AmountDiffers):
        a_hold().pay("order-1", amount, currency)


def test_a_second_payment_is_owed_back_and_changes_nothing_else() -> None:
    booking = a_confirmed_booking()
    booking.refuse_payment("order-2", 3600)
    assert booking.status == "confirmed"
    assert booking.refunds_due == (RefundDue("order-2", 3600, "paid_twice"),)
    assert booking.knows("order-2")


def test_a_cancelled_booking_owes_what_was_paid_and_what_still_comes() -> None:
    booking = a_confirmed_booking()
    booking.cancel("club", NOW)
    booking.refuse_payment("order-2", 3600)
    assert booking.refunds_due == (
        RefundDue("order-1", 3600, "cancelled_by_club"),
        RefundDue("order-2", 3600, "paid_twice"),
    )


def test_an_unpaid_hold_may_always_be_given_up() -> None:
    hold = a_hold()
    hold.cancel("player", hold.starts_at - timedelta(minutes=1))
    assert (hold.status, hold.hold_expires_at, hold.refunds_due) == ("cancelled", None, ())


def test_exactly_24_hours_before_the_start_a_player_still_cancels() -> None:
    last = evening_slot().starts_at - timedelta(hours=24)
    a_confirmed_booking().cancel("player", last)
    with pytest.raises(CancellationWindowClosed) as refused:
        a_confirmed_booking().cancel("player", last + timedelta(microseconds=1))
    assert refused.value.extras["cancel_until"] == last.isoformat()
    a_confirmed_booking().cancel("club", evening_slot().starts_at)


def test_the_24_hours_are_instants_over_a_change_of_the_clocks() -> None:
    # Sunday, 25 October 2026, 18:30 in Madrid; the clocks went back at 3 that morning.
    slot = CLUB.slot_at(CENTRAL, datetime(2026, 10, 25, 17, 30, tzinfo=UTC))
    assert slot
    booking = Booking.begin(BOOKING, slot, CLUB, PLAYER, NOW, free=False)
    assert CLUB.local(booking.cancel_until).isoformat() == "2026-10-24T19:30:00+02:00"


def test_a_move_keeps_what_was_paid_and_tells_the_difference() -> None:
    booking, afternoon = a_confirmed_booking(), CLUB.slots(CENTRAL, evening_slot().starts_at.date())[2]
    assert booking.reschedule(afternoon, NOW) == 2400 - 3600
    assert (booking.starts_at, booking.price_minor, booking.status, booking.version) == (
        afternoon.starts_at,
        3600,
        "confirmed",
        3,
    )
    with pytest.raises(CancellationWindowClosed):
        booking.reschedule(evening_slot(), booking.starts_at - timedelta(hours=23))


def test_a_booking_is_completed_when_its_time_is_over() -> None:
    booking = a_confirmed_booking()
    with pytest.raises(NotYetTime):
        booking.complete(booking.ends_at - timedelta(microseconds=1))
    booking.complete(booking.ends_at)
    assert booking.status == "completed"


def test_with_nothing_to_pay_a_booking_is_confirmed_at_once() -> None:
    booking = Booking.begin(BOOKING, evening_slot(), CLUB, PLAYER, NOW, free=True)
    assert (booking.status, booking.price_minor, booking.hold_expires_at) == ("confirmed", 0, None)
    booking.cancel("player", NOW)
    assert booking.refunds_due == ()


def test_a_booking_whose_payment_has_gone_back_is_cancelled_and_owes_nothing() -> None:
    booking = a_confirmed_booking()
    assert booking.lose_payment(booking.order_id or "")
    assert (booking.status, booking.version, booking.refunds_due) == ("cancelled", 3, ())
    assert not booking.lose_payment(booking.order_id or ""), "told of twice"


def test_an_order_that_has_gone_back_pays_for_nothing_when_it_is_told_of_late() -> None:
    hold = a_hold()
    assert not hold.lose_payment("order-1")
    assert (hold.status, hold.version) == ("held", 1)
    assert hold.knows("order-1")


def test_a_second_payment_that_has_gone_back_harms_no_booking() -> None:
    booking = a_confirmed_booking()
    booking.refuse_payment("order-2", 3600)
    assert not booking.lose_payment("order-2")
    assert booking.status == "confirmed"


ACTS: dict[Trigger, Callable[[Booking], object]] = {
    "pay": lambda booking: booking.pay("order-9", 3600, "EUR"),
    "refuse payment": lambda booking: booking.refuse_payment("order-9", 3600),
    "cancel": lambda booking: booking.cancel("club", NOW),
    "reschedule": lambda booking: booking.reschedule(evening_slot(), NOW),
    "complete": lambda booking: booking.complete(booking.ends_at),
}


@pytest.mark.parametrize("trigger", ACTS)
@pytest.mark.parametrize("status", get_args(Status))
def test_what_is_not_in_the_table_is_refused_with_the_state(status: Status, trigger: Trigger) -> None:
    booking = a_confirmed_booking()
    booking.status = status
    before = booking.version
    if transition := TRANSITIONS.get((status, trigger)):
        ACTS[trigger](booking)
        assert (booking.status, booking.version) == (transition.to, before + 1)
    else:
        with pytest.raises(TransitionNotPossible) as refused:
            ACTS[trigger](booking)
        assert refused.value.extras["booking_status"] == status
        assert (booking.status, booking.version) == (status, before)


def test_the_table_for_people_is_the_one_in_the_code() -> None:
    assert (Path(__file__).parents[3] / "docs" / "life-cycle.md").read_text() == document()


def test_a_hold_expires_at_its_end_and_not_before() -> None:
    hold = a_hold()
    with pytest.raises(NotYetTime):
        hold.expire(NOW + timedelta(minutes=15) - timedelta(microseconds=1))
    hold.expire(NOW + timedelta(minutes=15))
    assert (hold.status, hold.version) == ("expired", 2)
    with pytest.raises(NotYetTime):
        hold.expire(NOW + timedelta(minutes=16))


def test_the_checkout_opens_once_the_page_is_made_and_closes_with_the_hold() -> None:
    hold = a_hold()
    with pytest.raises(CheckoutNotReady):
        hold.checkout(NOW)
    hold.checkout_url = "https://pay.example/c1"
    assert hold.checkout(NOW) == "https://pay.example/c1"
    with pytest.raises(HoldExpired):
        hold.checkout(NOW + timedelta(minutes=15))
    hold.pay("order-1", 3600, "EUR")
    with pytest.raises(TransitionNotPossible):
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
    rule = CLUB.price_rule(court, datetime(2026, 11, 27, hour_utc, tzinfo=UTC))
    assert rule
    assert rule.price_minor == price
