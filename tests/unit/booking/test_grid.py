"""The slots of a day, in every zone and over every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import given, settings
from hypothesis import strategies as st

from services.booking.venues.domain import OpeningHours, grid

MADRID = ZoneInfo("Europe/Madrid")
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
DAYS = st.dates(date(2020, 1, 1), date(2035, 12, 31))
HALF_HOURS = st.integers(0, 47).map(lambda half: time(half // 2, half % 2 * 30))


def slots(day: date, opens: time, closes: time, minutes: int, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    return list(grid(day, OpeningHours(day.weekday(), opens, closes), minutes, zone))


@given(day=DAYS, opens=HALF_HOURS, closes=HALF_HOURS, minutes=st.sampled_from([60, 90]), zone=ZONES)
@settings(max_examples=300, deadline=None)
def test_slots_never_overlap_nor_leave_the_hours(
    day: date, opens: time, closes: time, minutes: int, zone: ZoneInfo
) -> None:
    found = slots(day, opens, closes, minutes, zone)
    closing_day = day if closes > opens else day + timedelta(days=1)
    opening = datetime.combine(day, opens, zone).astimezone(UTC)
    closing = datetime.combine(closing_day, closes, zone).astimezone(UTC)
    for starts_at, ends_at in found:
        assert ends_at - starts_at == timedelta(minutes=minutes)
        assert opening <= starts_at < ends_at <= closing
    for (_, ended), (starts_at, _) in pairwise(found):
        assert ended <= starts_at


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
