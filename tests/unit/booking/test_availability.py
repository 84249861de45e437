from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from struct import pack

from hypothesis import given, settings
from hypothesis import strategies as st

from services.booking.availability.domain import CELLS, Occupied, Question, Sheet
from services.booking.availability.representation import body
from services.booking.venues.domain import OpeningException, Slot, Venue
from services.chassis.etags import matches
from tests.unit.booking.clubs import CENTRAL, CLUB, NOW, SIDE

FRIDAY = date(2026, 11, 27)
AFTERNOON = datetime(2026, 11, 27, 14, 15, tzinfo=UTC)
"""15:15 on Friday in Madrid."""


def cells(starts_at: datetime, minutes: int) -> tuple[int, int]:
    first = int(starts_at.timestamp()) // 300
    return first, first + minutes // 5


def booked_from(starts_at: datetime, minutes: int) -> Occupied:
    return Occupied(CENTRAL.id, pack(CELLS, *cells(starts_at, minutes)), None)


def sheet(question: Question, now: datetime, *occupied: Occupied) -> Sheet:
    return Sheet(question, question.limits(now), occupied)


def reasons(found: Sheet, day: date = FRIDAY, venue: Venue = CLUB) -> dict[str, str | None]:
    return {f"{venue.local(slot.starts_at):%H:%M}": reason for slot, reason in found.slots(CENTRAL, day)}


def everything(venue: Venue = CLUB, day: date = FRIDAY, days: int = 1) -> Question:
    return Question(venue, day, days, with_unavailable=True)


def test_each_slot_that_cannot_be_held_says_why() -> None:
    venue = replace(CLUB, minimum_notice_minutes=60, _grids={})
    booked = pack(CELLS, *cells(datetime(2026, 11, 27, 16, tzinfo=UTC), 90))
    blocked = pack(CELLS, *cells(datetime(2026, 11, 27, 20, 25, tzinfo=UTC), 10))
    assert reasons(sheet(everything(venue), AFTERNOON, Occupied(CENTRAL.id, booked, blocked))) == {
        "08:00": "past",
        "09:30": "past",
        "11:00": "past",
        "12:30": "past",
        "14:00": "past",
        "15:30": "too_soon",
        "17:00": "booked",
        "18:30": None,
        "20:00": "blocked",
        "21:30": "blocked",
    }


def test_only_free_slots_are_shown_unless_the_others_are_asked_for() -> None:
    booked = booked_from(datetime(2026, 11, 27, 16, tzinfo=UTC), 90)
    assert list(reasons(sheet(Question(CLUB, FRIDAY), AFTERNOON, booked))) == ["15:30", "18:30", "20:00", "21:30"]


@given(
    now=st.integers(-60, 3000).map(lambda minutes: datetime(2026, 11, 26, 23, tzinfo=UTC) + timedelta(minutes=minutes)),
    notice=st.sampled_from([0, 7, 60, 600]),
    horizon=st.sampled_from([0, 1, 90]),
    active=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_what_is_shown_is_what_nothing_speaks_against(now: datetime, notice: int, horizon: int, active: bool) -> None:
    court = replace(CENTRAL, active=active)
    venue = replace(CLUB, minimum_notice_minutes=notice, booking_horizon_days=horizon, courts=(court,), _grids={})
    booked = booked_from(datetime(2026, 11, 27, 16, tzinfo=UTC), 90)
    shown = [slot for slot, _ in sheet(Question(venue, FRIDAY), now, booked).slots(court, FRIDAY)]
    judged = sheet(everything(venue), now, booked).slots(court, FRIDAY)
    assert shown == [slot for slot, reason in judged if reason is None]


def test_what_starts_this_instant_is_past() -> None:
    at_half_past = datetime(2026, 11, 27, 14, 30, tzinfo=UTC)
    assert reasons(sheet(everything(), at_half_past))["15:30"] == "past"
    assert reasons(sheet(everything(), at_half_past - timedelta(microseconds=1)))["15:30"] is None


def test_days_that_are_over_or_beyond_the_horizon_are_told_as_such() -> None:
    yesterday, beyond = date(2026, 11, 23), date(2026, 12, 25)
    assert set(reasons(sheet(everything(day=yesterday), NOW), yesterday).values()) == {"past"}
    assert set(reasons(sheet(everything(day=beyond), NOW), beyond).values()) == {"beyond_horizon"}
    assert not everything(day=yesterday - timedelta(days=7)).window(NOW)
    assert not everything(day=beyond).window(NOW)


def test_a_holiday_shows_the_usual_slots_as_closed() -> None:
    holiday = replace(CLUB, opening_exceptions=(OpeningException(FRIDAY, None, None, "Holiday"),), _grids={})
    found = reasons(sheet(everything(holiday), AFTERNOON), venue=holiday)
    assert (found["14:00"], found["18:30"]) == ("past", "closed")
    assert len(found) == 10
    assert reasons(sheet(Question(holiday, FRIDAY), AFTERNOON), venue=holiday) == {}


def test_a_court_out_of_use_is_closed() -> None:
    shut = replace(CENTRAL, active=False)
    venue = replace(CLUB, courts=(shut, SIDE), _grids={})
    assert [court.name for court in Question(venue, FRIDAY).courts] == ["Side"]
    found = sheet(everything(venue), NOW)
    assert {reason for _, reason in found.slots(shut, FRIDAY)} == {"closed"}


def test_courts_are_chosen_by_id_and_by_the_length_of_their_slots() -> None:
    assert Question(CLUB, FRIDAY, court_id=SIDE.id).courts == [SIDE]
    assert Question(CLUB, FRIDAY, slot_minutes=90).courts == [CENTRAL]
    assert Question(CLUB, FRIDAY, court_id=SIDE.id, slot_minutes=90).courts == []


@given(
    day=st.sampled_from([FRIDAY, date(2026, 3, 29), date(2026, 10, 25)]),
    taken=st.lists(st.tuples(st.integers(-600, 3000), st.integers(1, 400)), max_size=12),
)
@settings(max_examples=200, deadline=None)
def test_bitmasks_say_what_comparing_instants_says(day: date, taken: list[tuple[int, int]]) -> None:
    """Minutes from midnight on, and any length: what is no multiple of five minutes is rounded outwards, as the statement does."""
    night_before = datetime.combine(day, time.min, CLUB.zone).astimezone(UTC)
    spans = [
        (night_before + timedelta(minutes=start), night_before + timedelta(minutes=start + length))
        for start, length in taken
    ]
    rounded = [(int(begun.timestamp()) // 300, -(-int(ended.timestamp()) // 300)) for begun, ended in spans]
    occupied = Occupied(CENTRAL.id, b"".join(pack(CELLS, *one) for one in rounded), None)

    def is_free(slot: Slot) -> bool:
        return not any(begun < slot.ends_at and slot.starts_at < ended for begun, ended in spans)

    found = sheet(Question(CLUB, day), night_before - timedelta(days=1), occupied)
    free = [slot for slot, _ in found.slots(CENTRAL, day)]
    assert free == [s for s in CLUB.slots(CENTRAL, day) if is_free(s)]
    everything_told = sheet(everything(day=day), night_before - timedelta(days=1), occupied).slots(CENTRAL, day)
    assert [slot for slot, reason in everything_told if reason is None] == free


def test_the_same_answer_stands_until_something_changes() -> None:
    question, later = Question(CLUB, FRIDAY), AFTERNOON + timedelta(minutes=10)
    booked = booked_from(datetime(2026, 11, 27, 16, tzinfo=UTC), 90)
    first = body(sheet(question, AFTERNOON))
    assert body(sheet(question, later)) == first
    assert body(sheet(question, AFTERNOON, booked)).etag != first.etag
    assert body(sheet(question, AFTERNOON + timedelta(minutes=15))).etag != first.etag
    assert body(sheet(question, NOW)) is body(sheet(question, NOW + timedelta(hours=20)))


def test_an_etag_matches_alone_in_a_list_and_weakly() -> None:
    assert matches('"a"', '"a"')
    assert matches('"b", W/"a"', '"a"')
    assert matches("*", '"a"')
    assert not matches('"b"', '"a"')
    assert not matches(None, '"a"')
