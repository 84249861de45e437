"""Bookings as RFC 5545 writes them. One event per booking, under one UID for ever; a change has a higher SEQUENCE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from icalendar import Calendar, Event, Timezone

from services.booking.bookings.domain import Booking
from services.booking.bookings.life_cycle import Status
from services.booking.venues.domain import Court, Venue
from services.chassis.calendar_zones import local_or_utc, time_zone

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
    for zone in _time_zones(entries):
        calendar.add_component(zone)
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
    event.add("dtstart", local_or_utc(booking.starts_at, venue.zone))
    event.add("dtend", local_or_utc(booking.ends_at, venue.zone))
    event.add("summary", f"{court.name}, {venue.name}")
    event.add("location", venue.name)
    if booking.status == "confirmed":
        event.add(
            "description", f"Free of charge to cancel until {venue.local(booking.cancel_until):%Y-%m-%d %H:%M %Z}."
        )
    return event


def _time_zones(entries: list[Entry]) -> Iterator[Timezone]:
    by_zone = sorted(entries, key=lambda entry: entry.venue.zone.key)
    for key, group in groupby(by_zone, key=lambda entry: entry.venue.zone.key):
        years = [entry.booking.starts_at.year for entry in group]
        yield time_zone(key, min(years), max(years))
