"""What a player reads. The snapshots are whole mails: open the `.html` ones in a browser.

After a wanted change: `UPDATE_SNAPSHOTS=1 python -m pytest tests/unit/notifications`, and look at the difference.
"""

from __future__ import annotations

import os
import tomllib
from html import unescape
from pathlib import Path

import pytest

from services.notifications.emails.rendering import TEMPLATES, Mail, booking_confirmed
from tests.unit.notifications.builders import BOOKING_ID, MONDAY_NOON, a_booking, a_player

SNAPSHOTS = Path(__file__).parent / "snapshots"


def assert_like_snapshot(name: str, text: str) -> None:
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def render(locale: str = "en-GB", name: str = "Alba Ruiz") -> Mail:
    return booking_confirmed(a_booking(), a_player(locale=locale, name=name), MONDAY_NOON)


@pytest.mark.parametrize("locale", ["en", "en-GB", "es", "de"])
def test_the_mail_reads_as_it_did(locale: str) -> None:
    mail = render(locale)
    assert_like_snapshot(f"booking-confirmed.{locale}.txt", f"Subject: {mail.subject}\n\n{mail.text}")
    assert_like_snapshot(f"booking-confirmed.{locale}.html", mail.html)


@pytest.mark.parametrize(
    ("locale", "title"),
    [
        ("es-MX", "Tu pista está reservada"),
        ("de-AT", "Dein Platz ist gebucht"),
        ("ES", "Tu pista está reservada"),
        ("de-XX", "Dein Platz ist gebucht"),
        ("fr-FR", "Your court is booked"),
        ("", "Your court is booked"),
        ("en-u-ca-buddhist", "Your court is booked"),
    ],
)
def test_a_reader_gets_the_nearest_language_there_is(locale: str, title: str) -> None:
    mail = render(locale)
    assert mail.text.startswith(title)
    assert f"<title>{title}</title>" in mail.html


@pytest.mark.parametrize("locale", ["en", "es", "de"])
def test_text_and_html_tell_the_same_facts(locale: str) -> None:
    mail = render(locale)
    html = unescape(mail.html)
    facts = [line.partition(": ")[2] for line in mail.text.splitlines() if ": " in line]
    assert str(BOOKING_ID) in facts
    assert [fact for fact in facts if fact not in html] == []
    assert [line for line in mail.text.splitlines() if len(line) > 60 and ": " not in line and line not in html] == []


def test_every_language_has_every_phrase() -> None:
    phrases = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(TEMPLATES.glob("phrases/*.toml"))]
    named = [{kind: sorted(words) for kind, words in language.items()} for language in phrases]
    assert len(named) == 3
    assert named[0] == named[1] == named[2]


def test_a_court_booked_for_today_promises_no_free_cancellation() -> None:
    hour_before = a_booking().starts_at.replace(hour=16)
    mail = booking_confirmed(a_booking(), a_player(), hour_before)
    assert "can no longer be cancelled free of charge" in mail.text
    assert "until" not in mail.text
    assert "until" not in mail.html


def test_free_cancellation_over_the_end_of_summer_time_is_counted_in_hours() -> None:
    """From Saturday 19:00 to Sunday 18:00 are 24 hours that night."""
    sunday = a_booking().starts_at.replace(month=10, day=25)
    mail = booking_confirmed(
        a_booking(starts_at=sunday, ends_at=sunday.replace(hour=18)), a_player(), MONDAY_NOON.replace(month=10)
    )
    assert "until Saturday, 24 October 2026, 19:00 (Central European Summer Time)" in mail.text
    assert "Time: 18:00 \N{EN DASH} 19:00" in mail.text


def test_a_name_cannot_become_markup() -> None:
    mail = booking_confirmed(
        a_booking(court_name="<b>1</b>", venue_name='"><img src=x>'),
        a_player(name="<script>alert(1)</script> {price} {{ 7 * 7 }}"),
        MONDAY_NOON,
    )
    assert "<script>" not in mail.html
    assert "<img" not in mail.html
    assert "<b>" not in mail.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {price} {{ 7 * 7 }}" in mail.html
    assert "<script>alert(1)</script> {price} {{ 7 * 7 }}" in mail.text


def test_a_name_stays_on_its_line() -> None:
    mail = booking_confirmed(
        a_booking(court_name="1\r\nBcc: all@example.com"),
        a_player(name="Alba\r\n\r\nYou won! \u202e\x00" + "x" * 200),
        MONDAY_NOON,
    )
    assert "\r" not in mail.subject + mail.text
    assert "\n" not in mail.subject
    assert "Hi Alba You won! xxx" in mail.text
    assert "x" * 80 not in mail.text


def test_the_payload_names_the_booking_for_webhooks_and_dashboards() -> None:
    payload = render().payload("Courtside <bookings@courtside.example>", "alba@example.com", BOOKING_ID)
    assert payload["to"] == ["alba@example.com"]
    assert payload["tags"] == [
        {"name": "booking_id", "value": str(BOOKING_ID)},
        {"name": "kind", "value": "booking-confirmed"},
    ]
