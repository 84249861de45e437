"""When a recurring block stands, by the club's own clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.booking.blocked_slots.recurrence import (
    OCCURRENCES_MAX,
    PARTS,
    RuleNotValid,
    RuleTooLong,
    occurrences,
)

MADRID = ZoneInfo("Europe/Madrid")
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)


def local(text: str, zone: ZoneInfo = MADRID) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


def shown(starts_at: str, ends_at: str, rule: str | None, zone: ZoneInfo = MADRID) -> list[tuple[str, str]]:
    found = occurrences(local(starts_at, zone), local(ends_at, zone), rule, zone)
    return [(since.astimezone(zone).isoformat(), until.astimezone(zone).isoformat()) for since, until in found]


def days(rule: str, starts_at: str = "2026-11-30T09:00") -> list[str]:
    return [since[:10] for since, _ in shown(starts_at, starts_at.replace("09:00", "12:00"), rule)]


def test_without_a_rule_a_block_is_the_interval_itself() -> None:
    assert shown("2026-11-28T10:00", "2026-11-28T12:00", None) == [
        ("2026-11-28T10:00:00+01:00", "2026-11-28T12:00:00+01:00")
    ]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", ["2026-11-30", "2026-12-01", "2026-12-02"]),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3", ["2026-11-30", "2026-12-03", "2026-12-07"]),
        ("freq=weekly;interval=2;count=2", ["2026-11-30", "2026-12-14"]),
        ("FREQ=MONTHLY;BYDAY=-1SU;COUNT=2", ["2026-12-27", "2027-01-31"]),
        ("FREQ=DAILY;UNTIL=20261201", ["2026-11-30", "2026-12-01"]),
        ("FREQ=DAILY;UNTIL=20261201T080000Z", ["2026-11-30", "2026-12-01"]),
        ("FREQ=DAILY;UNTIL=20261201T075959Z", ["2026-11-30"]),
        ("FREQ=DAILY;UNTIL=20261201T090000", ["2026-11-30", "2026-12-01"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;COUNT=1", ["2028-02-29"]),
        ("FREQ=YEARLY;COUNT=3", ["2026-11-30", "2027-11-30", "2028-11-30"]),
    ],
)
def test_the_rule_chooses_the_days(rule: str, expected: list[str]) -> None:
    assert days(rule) == expected


def test_an_occurrence_keeps_its_local_time_when_the_clocks_change() -> None:
    assert shown("2026-10-24T09:00", "2026-10-24T12:00", "FREQ=DAILY;COUNT=2") == [
        ("2026-10-24T09:00:00+02:00", "2026-10-24T12:00:00+02:00"),
        ("2026-10-25T09:00:00+01:00", "2026-10-25T12:00:00+01:00"),
    ]


def test_a_start_that_the_clocks_skip_is_the_moment_of_the_jump() -> None:
    assert shown("2026-03-28T02:30", "2026-03-28T05:00", "FREQ=DAILY;COUNT=2")[1] == (
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T05:00:00+02:00",
    )


def test_an_end_that_the_clocks_skip_is_the_moment_of_the_jump() -> None:
    assert shown("2026-03-28T01:00", "2026-03-28T02:30", "FREQ=DAILY;COUNT=2")[1] == (
        "2026-03-29T01:00:00+01:00",
        "2026-03-29T03:00:00+02:00",
    )


def test_an_occurrence_wholly_in_the_skipped_hour_is_left_out() -> None:
    found = shown("2026-03-28T02:15", "2026-03-28T02:45", "FREQ=DAILY;COUNT=3")
    assert [since[:10] for since, _ in found] == ["2026-03-28", "2026-03-30"]


def test_a_repeated_hour_is_blocked_both_times() -> None:
    assert shown("2026-10-24T02:00", "2026-10-24T02:30", "FREQ=DAILY;COUNT=2")[1] == (
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+01:00",
    )


def test_a_jump_of_half_an_hour_is_found_too() -> None:
    lord_howe = ZoneInfo("Australia/Lord_Howe")
    assert shown("2026-10-03T02:15", "2026-10-03T04:00", "FREQ=DAILY;COUNT=2", lord_howe)[1] == (
        "2026-10-04T02:30:00+11:00",
        "2026-10-04T04:00:00+11:00",
    )


def test_a_rule_may_have_a_leap_years_days_and_no_more() -> None:
    assert len(days(f"FREQ=DAILY;COUNT={OCCURRENCES_MAX}")) == OCCURRENCES_MAX
    with pytest.raises(RuleTooLong) as refused:
        days(f"FREQ=DAILY;COUNT={OCCURRENCES_MAX + 1}")
    assert refused.value.extras["occurrences_max"] == OCCURRENCES_MAX


@pytest.mark.parametrize(
    "rule", ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=YEARLY", "FREQ=YEARLY;COUNT=4", "FREQ=MONTHLY;UNTIL=20290101"]
)
def test_a_rule_without_end_or_beyond_two_years_is_refused(rule: str) -> None:
    with pytest.raises(RuleTooLong):
        days(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "every monday",
        "FREQ=HOURLY;COUNT=3",
        "FREQ=SECONDLY;COUNT=3",
        "FREQ=DAILY;BYHOUR=9,10;COUNT=3",
        "FREQ=DAILY;BYEASTER=0;COUNT=1",
        "FREQ=DAILY;COUNT=3;COUNT=4",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=-1",
        "FREQ=DAILY;INTERVAL=0;COUNT=1",
        "FREQ=DAILY;INTERVAL=-1;COUNT=1",
        "FREQ=DAILY;COUNT=three",
        "FREQ=DAILY;COUNT=",
        "FREQ=DAILY;COUNT=2;UNTIL=20261201",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;UNTIL=00010101T000000Z",
        "FREQ=WEEKLY;BYDAY=XX;COUNT=1",
        "FREQ=WEEKLY;BYDAY=;COUNT=1",
        "FREQ=MONTHLY;BYMONTHDAY=99;COUNT=1",
        "FREQ=DAILY;COUNT=1\nDTSTART:20200101T000000",
        "FREQ=DAILY;UNTIL=20200101",
    ],
)
def test_what_is_no_rule_of_days_is_refused(rule: str) -> None:
    with pytest.raises(RuleNotValid):
        days(rule)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=1",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=YEARLY;BYWEEKNO=1;BYMONTH=6",
    ],
)
def test_a_rule_that_never_comes_true_is_refused(rule: str) -> None:
    with pytest.raises(RuleNotValid, match="no occurrence"):
        days(rule)


@given(
    frequency=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    more=st.dictionaries(
        st.sampled_from(sorted(PARTS - {"FREQ"})), st.text("0123456789,+-MOTUWEH", min_size=1, max_size=8), max_size=3
    ),
)
@settings(max_examples=200, deadline=None)
def test_whatever_is_sent_it_is_blocks_or_a_refusal(frequency: str, more: dict[str, str]) -> None:
    rule = ";".join([f"FREQ={frequency}", *(f"{name}={value}" for name, value in more.items())])
    try:
        found = days(rule)
    except (RuleNotValid, RuleTooLong):
        return
    assert 0 < len(found) <= OCCURRENCES_MAX


@given(
    zone=ZONES,
    first=st.builds(
        lambda day, minute: datetime.combine(day, time()) + timedelta(minutes=minute),
        st.dates(date(2020, 1, 1), date(2035, 12, 31)),
        st.integers(0, 24 * 60 - 1),
    ),
    minutes=st.integers(1, 2 * 24 * 60),
)
@settings(max_examples=200, deadline=None)
def test_every_moment_whose_local_time_is_in_the_block_is_blocked(
    zone: ZoneInfo, first: datetime, minutes: int
) -> None:
    """In every zone, over every change of the clocks."""
    since, until = first.replace(tzinfo=zone), (first + timedelta(minutes=minutes)).replace(tzinfo=zone)
    if _wall(since, zone) != first:
        return  # a client sends instants: it cannot name a time that does not exist
    try:
        found = occurrences(since, until, "FREQ=DAILY;COUNT=5", zone)
    except RuleNotValid:
        return  # the end comes before the start on that day's clock
    length = _wall(until, zone) - first
    assert all(start < end for start, end in found)
    assert all(one < other for one, other in pairwise(found))
    for number in range(5):
        begins = first + timedelta(days=number)
        _assert_blocked(begins, begins + length, found, zone)


def _assert_blocked(begins: datetime, ends: datetime, found: list[tuple[datetime, datetime]], zone: ZoneInfo) -> None:
    for part in range(8):
        wall = begins + (ends - begins) * part / 8
        for fold in (0, 1):
            instant = wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
            if _wall(instant, zone) == wall:
                assert any(start <= instant < end for start, end in found), (instant, found)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0)
