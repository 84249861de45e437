"""Bookings as RFC 5545 writes them. One event per booking, under one UID for ever; a change has a higher SEQUENCE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, Timezone, TimezoneDaylight, TimezoneStandard

from services.booking.bookings.domain import Booking
from services.booking.bookings.life_cycle import Status
from services.booking.venues.domain import Court, Venue

MEDIA_TYPE = "text/calendar; charset=utf-8"
PRODUCT = "-//Courtside//Bookings 1//EN"
STATUS: dict[Status, str] = {
    "held": "TENTATIVE",
    "confirmed": "CONFIRMED",
    "completed": "CONFIRMED",
    "cancelled": "CANCELLED",
    "expired": "CANCELLED",
}


@dataclass(frozen=True)
class Entry:
    booking: Booking
    venue: Venue
    court: Court


def render(entries: Iterable[Entry], now: datetime, name: str | None = None) -> bytes:
    """`name` is what a calendar program calls a subscription."""
    entries = list(entries)
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    if name:
        calendar.add("x-wr-calname", name)
    for time_zone in _time_zones(entries):
        calendar.add_component(time_zone)
    for entry in entries:
        calendar.add_component(_event(entry, now))
    return bytes(calendar.to_ical())


def _event(entry: Entry, now: datetime) -> Event:
    booking, venue, court = entry.booking, entry.venue, entry.court
    event = Event()
    event.add("uid", f"{booking.id}@courtside")
    event.add("dtstamp", now)
    event.add("sequence", booking.version)
    event.add("status", STATUS[booking.status])
    event.add("transp", "TRANSPARENT" if STATUS[booking.status] == "CANCELLED" else "OPAQUE")
    event.add("dtstart", _written(booking.starts_at, venue.zone))
    event.add("dtend", _written(booking.ends_at, venue.zone))
    event.add("summary", f"{court.name}, {venue.name}")
    event.add("location", venue.name)
    if booking.status == "confirmed":
        event.add(
            "description", f"Free of charge to cancel until {venue.local(booking.cancel_until):%Y-%m-%d %H:%M %Z}."
        )
    return event


def _written(instant: datetime, zone: ZoneInfo) -> datetime:
    """In the venue's time, but for the second pass of a repeated hour: RFC 5545 takes a local time there as the first pass."""
    local = instant.astimezone(zone)
    return instant.astimezone(UTC) if local.fold else local


def _time_zones(entries: list[Entry]) -> Iterator[Timezone]:
    by_zone = sorted(entries, key=lambda entry: entry.venue.zone.key)
    for key, group in groupby(by_zone, key=lambda entry: entry.venue.zone.key):
        years = [entry.booking.starts_at.year for entry in group]
        yield _time_zone(key, min(years), max(years))


@lru_cache(maxsize=256)
def _time_zone(key: str, first_year: int, last_year: int) -> Timezone:
    """Its offsets from the year before the first booking to the year after the last: a program that knows the name needs none."""
    zone = ZoneInfo(key)
    start, end = datetime(first_year - 1, 1, 1, tzinfo=UTC), datetime(last_year + 2, 1, 1, tzinfo=UTC)
    time_zone = Timezone()
    time_zone.add("tzid", key)
    time_zone.add_component(_observance(start, start.astimezone(zone).utcoffset() or timedelta(), zone))
    for change in _changes(zone, start, end):
        before = (change - timedelta(seconds=1)).astimezone(zone).utcoffset() or timedelta()
        time_zone.add_component(_observance(change, before, zone))
    return time_zone


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
