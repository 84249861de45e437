"""Instants and IANA time zones as RFC 5545 writes them. The `icalendar` library's own zones begin their seasons an hour late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from icalendar import Timezone, TimezoneDaylight, TimezoneStandard


def local_or_utc(instant: datetime, zone: ZoneInfo) -> datetime:
    """In local time, but for an hour that comes twice: RFC 5545 takes its times as those of the first pass, and ical.js of the second."""
    local = instant.astimezone(zone)
    comes_twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    return instant.astimezone(UTC) if comes_twice else local


@lru_cache(maxsize=256)
def time_zone(key: str, first_year: int, last_year: int) -> Timezone:
    """Its offsets from the year before the first to the year after the last: a program that knows the name needs none."""
    zone = ZoneInfo(key)
    start, end = datetime(first_year - 1, 1, 1, tzinfo=UTC), datetime(last_year + 2, 1, 1, tzinfo=UTC)
    written = Timezone()
    written.add("tzid", key)
    written.add_component(_observance(start, start.astimezone(zone).utcoffset() or timedelta(), zone))
    for change in _changes(zone, start, end):
        before = (change - timedelta(seconds=1)).astimezone(zone).utcoffset() or timedelta()
        written.add_component(_observance(change, before, zone))
    return written


def _observance(begins: datetime, offset_before: timedelta, zone: ZoneInfo) -> TimezoneStandard | TimezoneDaylight:
    """Its start is written in the wall time that ends with it, as the RFC wants."""
    local = begins.astimezone(zone)
    observance = TimezoneDaylight() if local.dst() else TimezoneStandard()
    observance.add("dtstart", (begins + offset_before).replace(tzinfo=None))
    observance.add("tzoffsetfrom", offset_before)
    observance.add("tzoffsetto", local.utcoffset())
    observance.add("tzname", local.tzname())
    return observance


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """Each instant at which the offset becomes another, to the second: looked for day by day, then by halving."""
    day = timedelta(days=1)
    while start < end:
        if start.astimezone(zone).utcoffset() != (start + day).astimezone(zone).utcoffset():
            yield _change(zone, start, start + day)
        start += day


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == before.astimezone(zone).utcoffset():
            before = middle
        else:
            after = middle
    return after
