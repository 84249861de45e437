"""The slots of a day, in every zone and over every change of the clocks, against a clock that is read every five minutes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.booking.venues.grid import first_instant, grid, hours_on
from tests.unit.booking.clocks import FIRST, LAST, ZONES, Change, changes

MADRID = ZoneInfo("Europe/Madrid")
FIVE_MINUTES, MINUTE = timedelta(minutes=5), timedelta(minutes=1)
LENGTHS = st.sampled_from([60, 90])
TIMES = st.integers(0, 24 * 12 - 1).map(lambda cell: time(cell // 12, cell % 12 * 5))

Slots = list[tuple[datetime, datetime]]


def slots(day: date, opens: time, closes: time, minutes: int, zone: ZoneInfo) -> Slots:
    return list(grid(day, opens, closes, minutes, zone))


@given(
    day=st.dates(FIRST.date(), LAST.date()),
    opens=TIMES,
    closes=TIMES,
    minutes=LENGTHS,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
@settings(max_examples=200, deadline=None)
def test_slots_keep_the_rules_in_every_zone(day: date, opens: time, closes: time, minutes: int, zone: ZoneInfo) -> None:
    assert_rules(day, opens, closes, minutes, zone)


@given(
    change=st.deferred(lambda: st.sampled_from(changes())),
    days_before=st.integers(0, 1),
    opens=TIMES,
    closes=TIMES,
    minutes=LENGTHS,
)
@settings(max_examples=500, deadline=None)
@pytest.mark.slow
def test_slots_keep_the_rules_over_every_change_of_the_clocks(
    change: Change, days_before: int, opens: time, closes: time, minutes: int
) -> None:
    """On the day of the change, and on the day before, whose hours may go past midnight into it."""
    zone = ZoneInfo(change.zone)
    day = change.instant.astimezone(zone).date() - timedelta(days=days_before)
    assert_rules(day, opens, closes, minutes, zone)


def assert_rules(day: date, opens: time, closes: time, minutes: int, zone: ZoneInfo) -> None:
    found, length = slots(day, opens, closes, minutes, zone), timedelta(minutes=minutes)
    starts, closing = possible_starts(day, opens, closes, length, zone)
    chosen = [starts_at for starts_at, _ in found]
    assert all(ends_at - starts_at == length for starts_at, ends_at in found)
    assert all(ended <= starts_at for (_, ended), (starts_at, _) in pairwise(found)), "slots overlap"
    assert set(chosen) <= set(starts), "a slot is off the grid"
    assert all(ends_at <= closing for _, ends_at in found), "a slot leaves the hours"
    fitting = [start for start in starts if start + length <= closing]
    left = [start for start in fitting if all(start + length <= begun or ended <= start for begun, ended in found)]
    assert left == [], "a slot of the grid fits into a gap"
    assert len(found) == most(fitting, length), "another choice has more slots"


def possible_starts(
    day: date, opens: time, closes: time, length: timedelta, zone: ZoneInfo
) -> tuple[list[datetime], datetime]:
    """By looking at the clock on the wall from two days before to two days after: when it shows a time of the grid, and when it closes."""
    opening, closing = hours_on(day, opens, closes)
    begin = datetime.combine(day, time.min, UTC) - timedelta(days=2)
    instants = [begin + step * FIVE_MINUTES for step in range(5 * 24 * 12)]
    walls = [(instant, instant.astimezone(zone).replace(tzinfo=None)) for instant in instants]
    closes_at = next(instant for instant, wall in walls if wall >= closing)
    while (closes_at - MINUTE).astimezone(zone).replace(tzinfo=None) >= closing:  # Casey changes its clocks at 0:01
        closes_at -= MINUTE
    shown = [(instant, wall - opening) for instant, wall in walls if opening <= wall < closing]
    return [instant for instant, after_opening in shown if after_opening % length == timedelta(0)], closes_at


def most(starts: list[datetime], length: timedelta) -> int:
    """How many slots can be had at all, by trying: with the first start, or without it."""
    best = [0] * (len(starts) + 1)
    for index in reversed(range(len(starts))):
        later = next((i for i in range(index, len(starts)) if starts[i] >= starts[index] + length), len(starts))
        best[index] = max(best[index + 1], 1 + best[later])
    return best[0]


def test_offsets_are_whole_quarters_of_an_hour() -> None:
    """What cells of five minutes rest on: a slot that begins on whole five minutes of the wall does so everywhere."""
    assert len([change for change in changes() if change.zone == "Europe/Madrid"]) == 32
    for zone_name, instant in (*((name, FIRST) for name in ZONES), *changes()):
        offset = instant.astimezone(ZoneInfo(zone_name)).utcoffset()
        assert offset is not None
        assert offset % timedelta(minutes=15) == timedelta(0), zone_name


@pytest.mark.slow
def test_every_change_of_the_clocks_keeps_slots_apart_and_on_the_grid() -> None:
    """All of them, open around the clock: only what is cheap to ask."""
    for zone_name, instant in changes():
        zone = ZoneInfo(zone_name)
        day = instant.astimezone(zone).date()
        for minutes in (60, 90):
            found = slots(day, time.min, time.min, minutes, zone)
            assert all(ended <= starts_at for (_, ended), (starts_at, _) in pairwise(found))
            walls = [starts_at.astimezone(zone) for starts_at, _ in found]
            assert {wall.date() for wall in walls} == {day}
            assert all((wall.hour * 60 + wall.minute) % minutes == 0 for wall in walls)


@pytest.mark.parametrize(
    ("day", "starts"),
    [
        # The grid has 3:00 in spring, but 1:30 lasts until 4:00.
        (date(2026, 3, 29), ["00:00+01:00", "01:30+01:00", "04:30+02:00"]),
        # 1:30 ends at the second 2:00; an hour is left, which is no slot of 90 minutes.
        (date(2026, 10, 25), ["00:00+02:00", "01:30+02:00", "03:00+01:00", "04:30+01:00"]),
    ],
)
def test_90_minutes_over_a_change_of_the_clocks(day: date, starts: list[str]) -> None:
    found = slots(day, time(0), time(6), 90, MADRID)
    local = [starts_at.astimezone(MADRID).isoformat() for starts_at, _ in found]
    assert [text[11:16] + text[19:] for text in local] == starts


def test_a_time_that_the_clocks_skip_is_the_end_of_the_gap() -> None:
    """Two hours at Troll, in one step: 1:00 is 3:00."""
    troll, day = ZoneInfo("Antarctica/Troll"), date(2026, 3, 29)
    gap_ends = datetime(2026, 3, 29, 1, tzinfo=UTC)
    for skipped in (time(1), time(2), time(2, 59)):
        assert first_instant(datetime.combine(day, skipped), troll) == gap_ends
    opened_in_the_gap = slots(day, time(2), time(6), 60, troll)
    assert [starts_at.astimezone(troll).hour for starts_at, _ in opened_in_the_gap] == [3, 4, 5]
    closed_in_the_gap = slots(day - timedelta(days=1), time(22, 30), time(2), 60, troll)
    assert closed_in_the_gap[-1][0].astimezone(troll).time() == time(23, 30)


def test_of_a_repeated_time_the_first_opens_and_closes() -> None:
    night = slots(date(2026, 10, 24), time(23), time(2, 30), 60, MADRID)
    assert [starts_at.astimezone(MADRID).isoformat()[11:] for starts_at, _ in night] == [
        "23:00:00+02:00",
        "00:00:00+02:00",
        "01:00:00+02:00",
    ]


def test_an_ordinary_day_is_filled_from_the_opening_on() -> None:
    day = date(2026, 11, 28)
    assert len(slots(day, time(8), time(23), 90, MADRID)) == 10
    assert len(slots(day, time(8), time(23), 60, MADRID)) == 15
    first, last = slots(day, time(8), time(23), 90, MADRID)[0][0], slots(day, time(8), time(23), 90, MADRID)[-1][1]
    assert first.astimezone(MADRID).time() == time(8)
    assert last.astimezone(MADRID).time() == time(23)


def test_a_slot_that_the_clocks_skip_is_not_there() -> None:
    spring = slots(date(2026, 3, 29), time(0), time(6), 60, MADRID)
    assert [starts_at.astimezone(MADRID).hour for starts_at, _ in spring] == [0, 1, 3, 4, 5]


def test_a_repeated_hour_is_there_twice_told_apart_by_its_offset() -> None:
    autumn = slots(date(2026, 10, 25), time(0), time(6), 60, MADRID)
    local = [starts_at.astimezone(MADRID).isoformat() for starts_at, _ in autumn]
    assert [text[11:13] for text in local] == ["00", "01", "02", "02", "03", "04", "05"]
    assert (local[2][-6:], local[3][-6:]) == ("+02:00", "+01:00")


def test_hours_may_go_past_midnight() -> None:
    found = slots(date(2026, 11, 28), time(20), time(1), 60, MADRID)
    assert [starts_at.astimezone(MADRID).hour for starts_at, _ in found] == [20, 21, 22, 23, 0]


def test_the_last_slot_ends_by_the_closing() -> None:
    found = slots(date(2026, 11, 28), time(8), time(22), 90, MADRID)
    assert found[-1][1].astimezone(MADRID).time() == time(21, 30)
