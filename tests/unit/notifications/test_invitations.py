"""Invitations as calendar programs read them: the right instants in every zone, on every day of the year."""

from __future__ import annotations

import json
import subprocess
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from services.notifications.emails.domain import Kind, Story
from services.notifications.emails.invitations import attachment
from tests.node import FOLDER, beside_the_packages, node
from tests.unit.notifications.builders import MONDAY_NOON, a_booking, a_player, a_story

SENDER = "Courtside <bookings@courtside.example>"
ZONES = (
    "Europe/Madrid",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Africa/Casablanca",
    "Atlantic/Canary",
)
CLOCKS_CHANGE = (
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # 02:30 in Madrid for the first time
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),  # and for the second
    datetime(2026, 3, 29, 0, 30, tzinfo=UTC),  # an hour later it is 03:30
    datetime(2026, 11, 1, 5, 30, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 30, tzinfo=UTC),
)


def written(starts_at: datetime, time_zone: str = "Europe/Madrid", **particulars: Any) -> bytes:
    hours = {"starts_at": starts_at, "ends_at": starts_at + timedelta(minutes=90), "time_zone": time_zone}
    attached = attachment(a_story(booking=hours, **particulars), a_player(), SENDER, MONDAY_NOON)
    assert attached is not None
    return b64decode(attached["content"])


def event_of(ics: bytes) -> Any:
    (event,) = Calendar.from_ical(ics).walk("VEVENT")
    return event


def instants(ics: bytes) -> tuple[datetime, datetime]:
    event = event_of(ics)
    return event["dtstart"].dt.astimezone(UTC), event["dtend"].dt.astimezone(UTC)


@given(
    st.integers(1_700_000_000, 2_050_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
    | st.sampled_from(CLOCKS_CHANGE),
    st.sampled_from(ZONES),
)
def test_the_game_is_when_it_is_in_every_zone(starts_at: datetime, time_zone: str) -> None:
    assert instants(written(starts_at, time_zone)) == (starts_at, starts_at + timedelta(minutes=90))


def test_a_game_at_six_is_shown_at_six_by_the_wall_of_the_club() -> None:
    event = event_of(written(datetime(2026, 7, 18, 16, tzinfo=UTC)))
    assert event["dtstart"].dt.isoformat() == "2026-07-18T18:00:00+02:00"
    assert event["dtstart"].params["TZID"] == "Europe/Madrid"


def test_who_is_invited_by_whom_to_what() -> None:
    event = event_of(written(datetime(2026, 11, 14, 17, tzinfo=UTC)))
    assert (str(event["organizer"]), event["organizer"].params["CN"]) == (
        "mailto:bookings@courtside.example",
        "Courtside",
    )
    assert (str(event["attendee"]), event["attendee"].params["CN"]) == ("mailto:alba@example.com", "Alba Ruiz")
    assert (str(event["summary"]), str(event["location"])) == ("Pista 3, Club Pádel Retiro", "Club Pádel Retiro")
    assert (event["sequence"], str(event["status"])) == (2, "CONFIRMED")


def test_names_cannot_break_out_of_their_line() -> None:
    hostile = 'Alba"\r\nBEGIN:VALARM;:,'
    story = a_story(booking={"court_name": hostile, "venue_name": hostile})
    attached = attachment(story, a_player(name=hostile), SENDER, MONDAY_NOON)
    assert attached is not None
    calendar = Calendar.from_ical(b64decode(attached["content"]))
    assert [part.name for part in calendar.walk() if part.name not in ("STANDARD", "DAYLIGHT")] == [
        "VCALENDAR",
        "VTIMEZONE",
        "VEVENT",
    ]


@pytest.mark.parametrize("kind", list(Kind))
def test_only_what_changes_a_calendar_has_an_invitation(kind: Kind) -> None:
    methods = {
        Kind.BOOKING_CONFIRMED: "REQUEST",
        Kind.BOOKING_RESCHEDULED: "REQUEST",
        Kind.BOOKING_CANCELLED: "CANCEL",
        Kind.COURT_CLOSED: "CANCEL",
    }
    attached = attachment(a_story(kind), a_player(), SENDER, MONDAY_NOON)
    assert (attached and attached["content_type"].rpartition("=")[2]) == methods.get(kind)


def test_a_hold_that_is_cancelled_was_no_invitation() -> None:
    story = a_story("booking-cancelled", withdraws_invitation=False)
    assert attachment(story, a_player(), SENDER, MONDAY_NOON) is None


@pytest.mark.slow
@pytest.mark.timeout(400)  # the first run installs the parser
def test_another_parser_reads_the_same(tmp_path: Path) -> None:
    """ical.js, which Thunderbird uses: instants by the invitation's own VTIMEZONE, not by a table of zones that it knows."""
    expected = []
    for number, (starts_at, time_zone) in enumerate((at, zone) for at in CLOCKS_CHANGE for zone in ZONES):
        (tmp_path / f"{number}.ics").write_bytes(written(starts_at, time_zone))
        expected.append(
            {
                "method": "REQUEST",
                "uid": f"{a_booking().booking_id}@courtside",
                "sequence": 2,
                "start": starts_at.timestamp(),
                "end": (starts_at + timedelta(minutes=90)).timestamp(),
                "attendee": "mailto:alba@example.com",
            }
        )
    (tmp_path / f"{len(expected)}.ics").write_bytes(written(CLOCKS_CHANGE[0], kind="booking-cancelled"))
    expected.append(expected[0] | {"method": "CANCEL", "sequence": 3})
    files = [str(tmp_path / f"{number}.ics") for number in range(len(expected))]
    command = [node(), str(beside_the_packages(FOLDER / "read-invitations.mjs")), *files]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout) == expected


def test_a_story_survives_its_table() -> None:
    """It is stored as JSON, and told again from it."""
    for kind in Kind:
        story = a_story(kind)
        assert Story.model_validate_json(story.model_dump_json()) == story
    assert a_story().booking.starts_at.astimezone(ZoneInfo("Europe/Madrid")).hour == 18
