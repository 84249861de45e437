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
STEP = timedelta(days=7)
SECONDS = range(int(STEP.total_seconds()) + 1)


class Change(NamedTuple):
    """`instant` is the first with the new offset."""

    zone: str
    instant: datetime


@cache
def changes() -> tuple[Change, ...]:
    return tuple(Change(name, instant) for name in ZONES for instant in _changes(ZoneInfo(name)))


def _changes(zone: ZoneInfo) -> Iterator[datetime]:
    """A week is searched when its ends differ. Looked for day by day, there are as many: no change is undone within a week."""
    weeks = [FIRST + number * STEP for number in range((LAST - FIRST) // STEP + 2)]
    offsets = [week.astimezone(zone).utcoffset() for week in weeks]
    for (week, before), (_, after) in pairwise(zip(weeks, offsets, strict=True)):
        if before != after:
            yield week + timedelta(seconds=bisect_left(SECONDS, 1, key=_changed_since(week, zone)))


def _changed_since(instant: datetime, zone: ZoneInfo) -> Callable[[int], bool]:
    before = instant.astimezone(zone).utcoffset()
    return lambda seconds: (instant + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != before
