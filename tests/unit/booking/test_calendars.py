"""What a calendar program reads, judged by parsing it again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar, Event, Timezone

from services.booking.bookings.domain import Booking
from services.booking.bookings.life_cycle import Status
from services.booking.calendars.rendering import Entry, render
from services.booking.venues.domain import Slot
from tests.unit.booking.clubs import BOOKING, CENTRAL, CLUB, NOW, PLAYER, a_confirmed_booking, a_hold

ZONES = ("Europe/Madrid", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata", "UTC")


def an_entry(starts_at: datetime, zone: str = "Europe/Madrid") -> Entry:
    slot = Slot(CENTRAL.id, starts_at, starts_at + timedelta(minutes=90), 3600)
    club = replace(CLUB, zone=ZoneInfo(zone))
    return Entry(Booking.begin(uuid4(), slot, club, PLAYER, NOW, free=True), club, CENTRAL)


def parsed(*entries: Entry) -> Calendar:
    return Calendar.from_ical(render(entries, NOW))


def instant(read: date) -> datetime:
    """Compared in UTC: Python holds a local time of a repeated hour equal to no other zone's."""
    assert isinstance(read, datetime)
    return read.astimezone(UTC)


def event_of(booking: Booking) -> Event:
    (event,) = parsed(Entry(booking, CLUB, CENTRAL)).events
    return event


def test_one_booking_is_one_event_in_the_time_of_the_club() -> None:
    event = event_of(a_confirmed_booking())
    assert event.uid == f"{BOOKING}@courtside"
    assert str(event["SUMMARY"]) == "Central, Club"
    assert b"DTSTART;TZID=Europe/Madrid:20261127T183000" in event.to_ical()
    assert instant(event.end) - instant(event.start) == timedelta(minutes=90)


def test_a_change_has_the_same_uid_and_a_higher_sequence() -> None:
    booking = a_hold()
    held = event_of(booking)
    booking.cancel("player", NOW)
    cancelled = event_of(booking)
    assert held.uid == cancelled.uid
    assert held.sequence < cancelled.sequence
    assert (held["STATUS"], cancelled["STATUS"]) == ("TENTATIVE", "CANCELLED")
    assert (held["TRANSP"], cancelled["TRANSP"]) == ("OPAQUE", "TRANSPARENT")


@pytest.mark.parametrize(
    ("status", "shown"), [("confirmed", "CONFIRMED"), ("completed", "CONFIRMED"), ("expired", "CANCELLED")]
)
def test_a_status_is_shown_as_the_standard_has_it(status: Status, shown: str) -> None:
    booking = a_confirmed_booking()
    booking.status = status
    assert event_of(booking)["STATUS"] == shown


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.slow
def test_every_hour_of_two_years_is_read_as_the_instant_that_it_is(zone: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    entries = [an_entry(start + timedelta(hours=number), zone) for number in range(0, 24 * 730, 5)]
    entries += [an_entry(datetime(2026, 10, 24, tzinfo=UTC) + timedelta(minutes=30 * n), zone) for n in range(500)]
    for entry, event in zip(entries, parsed(*entries).events, strict=True):
        assert (instant(event.start), instant(event.end)) == (entry.booking.starts_at, entry.booking.ends_at)


@pytest.mark.parametrize("zone", ZONES)
def test_a_program_that_does_not_know_the_zone_learns_its_offsets(zone: str) -> None:
    (told,) = parsed(an_entry(datetime(2026, 6, 1, tzinfo=UTC), zone)).timezones
    assert told.tz_name == zone
    moment = datetime(2025, 12, 31, tzinfo=UTC)
    while moment < datetime(2027, 12, 31, tzinfo=UTC):
        assert offset(told, moment) == moment.astimezone(ZoneInfo(zone)).utcoffset(), moment
        moment += timedelta(minutes=30)


def offset(told: Timezone, moment: datetime) -> timedelta:
    """As RFC 5545 3.6.5 says: that of the observance with the latest onset."""
    parts = told.subcomponents
    begun: list[tuple[datetime, timedelta]] = [
        (onset, part.TZOFFSETTO)
        for part in parts
        if (onset := part.DTSTART.replace(tzinfo=UTC) - part.TZOFFSETFROM) <= moment
    ]
    return max(begun)[1]


def test_an_hour_that_comes_twice_is_never_taken_for_its_other_pass() -> None:
    """Programs do not agree on which of the two a local time means, so neither is written as one."""
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    events = parsed(an_entry(first), an_entry(second)).events
    assert b"DTSTART:20261025T003000Z" in events[0].to_ical()
    assert b"DTSTART:20261025T013000Z" in events[1].to_ical()
    assert [instant(event.start) for event in events] == [first, second]


def test_a_feed_of_several_zones_describes_each_once() -> None:
    starts = datetime(2026, 6, 1, tzinfo=UTC)
    feed = parsed(an_entry(starts), an_entry(starts, "UTC"), an_entry(starts, "Asia/Kolkata"), an_entry(starts))
    names = [zone.tz_name for zone in feed.timezones]
    assert all(first < second for first, second in pairwise(names))
    assert set(names) == {"Europe/Madrid", "UTC", "Asia/Kolkata"}


def test_an_empty_feed_is_a_calendar() -> None:
    assert parsed().events == []
