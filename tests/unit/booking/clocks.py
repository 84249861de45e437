"""Every change of the clocks from 2020 to 2035, as zoneinfo knows them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

FIRST, LAST = datetime(2020, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
ZONES = sorted(available_timezones() - {"localtime"})
SECONDS_A_DAY = range(24 * 60 * 60 + 1)


class Change(NamedTuple):
    """`instant` is the first with the new offset."""

    zone: str
    instant: datetime


@cache
def changes() -> tuple[Change, ...]:
    return tuple(Change(name, instant) for name in ZONES for instant in _changes(ZoneInfo(name)))


def _changes(zone: ZoneInfo) -> Iterator[datetime]:
    """A day is searched when its ends differ; none of these years has two changes that undo each other within a day."""
    days = [FIRST + timedelta(days=number) for number in range((LAST - FIRST).days + 1)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    for (day, before), (_, after) in pairwise(zip(days, offsets, strict=True)):
        if before != after:
            yield day + timedelta(seconds=bisect_left(SECONDS_A_DAY, True, key=_differs(day, zone)))


def _differs(day: datetime, zone: ZoneInfo) -> Callable[[int], bool]:
    before = day.astimezone(zone).utcoffset()
    return lambda seconds: (day + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != before
