"""Exceptions from the hours, notice, and what a slot costs whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import pytest

from services.booking.bookings.choosing import SlotNotOnGrid, SlotTooSoon, choose_slot
from services.booking.bookings.domain import Booking
from services.booking.venues.domain import OpeningException, PriceRule, Venue
from services.chassis.auth import Role
from tests.unit.booking.clubs import BOOKING, CENTRAL, CLUB, EVERY_DAY, NOW, OFF_PEAK, PEAK, PLAYER, SIDE, evening_slot

FRIDAY = date(2026, 11, 27)
SPECIAL = UUID(int=99)


def club(*exceptions: OpeningException, rules: tuple[PriceRule, ...] = (), notice_minutes: int = 0) -> Venue:
    """The club of the other tests, with these on top; a copy has grids of its own."""
    return replace(
        CLUB,
        opening_exceptions=exceptions,
        price_rules=(*CLUB.price_rules, *rules),
        minimum_notice_minutes=notice_minutes,
        _grids={},
    )


def starts(venue: Venue, day: date = FRIDAY) -> list[str]:
    return [f"{venue.local(slot.starts_at):%H:%M}" for slot in venue.slots(CENTRAL, day)]


def test_on_a_holiday_nothing_can_be_booked_and_the_day_after_everything() -> None:
    closed = club(OpeningException(FRIDAY, None, None, "Holiday"))
    assert starts(closed) == []
    assert starts(closed, FRIDAY + timedelta(days=1)) == starts(CLUB, FRIDAY + timedelta(days=1))
    assert len(closed.closed_slots(CENTRAL, FRIDAY)) == 10
    with pytest.raises(SlotNotOnGrid):
        choose_slot(closed, CENTRAL, evening_slot().starts_at, NOW)


def test_a_late_opening_begins_its_own_grid() -> None:
    late = club(OpeningException(FRIDAY, time(12), time(17), "Staff meeting"))
    assert starts(late) == ["12:00", "13:30", "15:00"]
    gone = [f"{late.local(slot.starts_at):%H:%M}" for slot in late.closed_slots(CENTRAL, FRIDAY)]
    # 11:00 and 15:30 are not "closed": they meet slots that are on offer.
    assert gone == ["08:00", "09:30", "17:00", "18:30", "20:00", "21:30"]


def test_a_date_may_open_twice() -> None:
    siesta = (
        OpeningException(FRIDAY, time(8), time(10), "Summer hours"),
        OpeningException(FRIDAY, time(20), time(0), "Summer hours"),
    )
    assert starts(club(*siesta)) == ["08:00", "20:00", "21:30"]


def test_hours_past_midnight_belong_to_the_day_on_which_they_open() -> None:
    night = club(
        OpeningException(FRIDAY, time(22), time(1), "Night of padel"),
        OpeningException(FRIDAY + timedelta(days=1), None, None, "Cleaning"),
    )
    assert starts(night) == ["22:00", "23:30"]
    assert night.slot_at(CENTRAL, datetime(2026, 11, 27, 22, 30, tzinfo=UTC))


def test_a_club_wants_notice_and_exactly_at_its_end_a_slot_can_still_be_held() -> None:
    slot, wants_two_hours = evening_slot(), club(notice_minutes=120)
    last = slot.starts_at - timedelta(hours=2)
    assert choose_slot(wants_two_hours, CENTRAL, slot.starts_at, last) == slot
    with pytest.raises(SlotTooSoon) as refused:
        choose_slot(wants_two_hours, CENTRAL, slot.starts_at, last + timedelta(seconds=1))
    assert (refused.value.status, refused.value.code) == (422, "slot-too-soon")
    assert refused.value.extras["first_bookable_instant"] == "2026-11-27T18:30:01+01:00"


def special(**changes: object) -> PriceRule:
    rule = PriceRule(SPECIAL, 100, EVERY_DAY, time.min, time.min, priority=20)
    return replace(rule, **changes)  # type: ignore[arg-type]  # each test names fields of it


@pytest.mark.parametrize(
    ("rule", "role", "wins"),
    [
        (special(), "player", True),
        (special(priority=9), "player", False),
        (special(weekdays=frozenset({4})), "player", True),
        (special(weekdays=frozenset({5})), "player", False),
        (special(starts=time(18, 30), ends=time(19)), "player", True),
        (special(starts=time(8), ends=time(18, 30)), "player", False),
        (special(valid_from=FRIDAY, valid_until=FRIDAY), "player", True),
        (special(valid_from=FRIDAY + timedelta(days=1)), "player", False),
        (special(valid_until=FRIDAY - timedelta(days=1)), "player", False),
        (special(role="staff"), "staff", True),
        (special(role="staff"), "player", False),
        (special(role="staff"), "admin", False),
        (special(role="player"), "staff", False),
        (special(court_id=CENTRAL.id), "player", True),
        (special(court_id=SIDE.id), "player", False),
        # At equal priority what is said of one court, then of one role, goes before what is said of all.
        (special(priority=10), "player", False),
        (special(priority=10, court_id=CENTRAL.id), "player", True),
        (special(priority=10, role="player"), "player", True),
    ],
)
def test_a_rule_sets_the_price_where_it_fits_and_ranks_first(rule: PriceRule, role: Role, wins: bool) -> None:
    slot = club(rules=(rule,)).slot_at(CENTRAL, evening_slot().starts_at, role)
    assert slot
    assert (slot.price_minor, slot.price_rule_id) == ((100, SPECIAL) if wins else (3600, PEAK))


def test_without_a_price_a_slot_is_not_on_offer() -> None:
    members_only = replace(CLUB, price_rules=(special(role="staff"),), _grids={})
    assert members_only.slots(CENTRAL, FRIDAY) == []
    assert len(members_only.slots(CENTRAL, FRIDAY, "staff")) == 10


def test_the_price_and_its_rule_are_frozen_in_the_booking() -> None:
    morning = CLUB.slots(CENTRAL, FRIDAY)[0]
    booking = Booking.begin(BOOKING, morning, CLUB, PLAYER, NOW, free=False)
    assert (booking.price_minor, booking.price_rule_id) == (2400, OFF_PEAK)


def test_a_waived_price_is_no_rules_and_a_price_of_nothing_is() -> None:
    waived = Booking.begin(BOOKING, evening_slot(), CLUB, PLAYER, NOW, free=True)
    assert (waived.price_minor, waived.price_rule_id) == (0, None)
    gift = club(rules=(special(price_minor=0),)).slot_at(CENTRAL, evening_slot().starts_at)
    assert gift
    assert Booking.begin(BOOKING, gift, CLUB, PLAYER, NOW, free=True).price_rule_id == SPECIAL
