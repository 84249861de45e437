"""What a calendar program reads, judged by parsing it again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
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


def event_of(booking: Booking) -> Event:
    (event,) = parsed(Entry(booking, CLUB, CENTRAL)).events
    return event


def test_one_booking_is_one_event_in_the_time_of_the_club() -> None:
    event = event_of(a_confirmed_booking())
    assert event.uid == f"{BOOKING}@courtside"
    assert str(event["SUMMARY"]) == "Central, Club"
    assert event["DTSTART"].to_ical() == b"20261127T183000"
    assert event["DTSTART"].params["TZID"] == "Europe/Madrid"
    assert event.DTEND - event.DTSTART == timedelta(minutes=90)


def test_a_change_has_the_same_uid_and_a_higher_sequence() -> None:
    booking = a_hold()
    held = event_of(booking)
    booking.cancel("player", NOW)
    cancelled = event_of(booking)
    assert held.uid == cancelled.uid
    assert held["SEQUENCE"] < cancelled["SEQUENCE"]
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
def test_every_hour_of_two_years_is_read_as_the_instant_that_it_is(zone: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    entries = [an_entry(start + timedelta(hours=number), zone) for number in range(0, 24 * 730, 1)]
    entries = entries[:: 1 if zone == "Europe/Madrid" else 7]
    for entry, event in zip(entries, parsed(*entries).events, strict=True):
        assert (event.DTSTART, event.DTEND) == (entry.booking.starts_at, entry.booking.ends_at)


@pytest.mark.parametrize("zone", ZONES)
def test_a_program_that_does_not_know_the_zone_learns_its_offsets(zone: str) -> None:
    (told,) = parsed(an_entry(datetime(2026, 6, 1, tzinfo=UTC), zone)).timezones
    assert told.tz_name == zone
    instant = datetime(2025, 12, 31, tzinfo=UTC)
    while instant < datetime(2027, 12, 31, tzinfo=UTC):
        assert offset(told, instant) == instant.astimezone(ZoneInfo(zone)).utcoffset(), instant
        instant += timedelta(minutes=30)


def offset(told: Timezone, instant: datetime) -> timedelta:
    """As RFC 5545 3.6.5 says: that of the observance with the latest onset."""
    begun = [
        (onset, part["TZOFFSETTO"].td)
        for part in told.subcomponents
        if (onset := part["DTSTART"].dt.replace(tzinfo=UTC) - part["TZOFFSETFROM"].td) <= instant
    ]
    found: timedelta = max(begun)[1]
    return found


def test_the_second_pass_of_a_repeated_hour_is_not_taken_for_the_first() -> None:
    first, second = datetime(2026, 10, 25, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    events = parsed(an_entry(first), an_entry(second)).events
    assert events[0]["DTSTART"].to_ical() == b"20261025T023000"
    assert events[1]["DTSTART"].to_ical() == b"20261025T013000Z"
    assert [event.DTSTART for event in events] == [first, second]


def test_a_feed_of_several_zones_describes_each_once() -> None:
    starts = datetime(2026, 6, 1, tzinfo=UTC)
    feed = parsed(an_entry(starts), an_entry(starts, "UTC"), an_entry(starts, "Asia/Kolkata"), an_entry(starts))
    names = [zone.tz_name for zone in feed.timezones]
    assert all(first < second for first, second in pairwise(names))
    assert set(names) == {"Europe/Madrid", "UTC", "Asia/Kolkata"}


def test_an_empty_feed_is_a_calendar() -> None:
    assert parsed().events == []
