"""What a player reads. The snapshots are whole mails: open the `.html` ones in a browser.

After a wanted change: `UPDATE_SNAPSHOTS=1 python -m pytest tests/unit/notifications`, and look at the difference.
"""

from __future__ import annotations

import os
import re
import tomllib
from html import unescape
from pathlib import Path

import pytest

from services.notifications.emails.domain import Kind
from services.notifications.emails.rendering import TEMPLATES, Mail, render
from tests.unit.notifications.builders import BOOKING_ID, MONDAY_NOON, a_player, a_story
from tests.unit.notifications.contrast import least_contrast

SNAPSHOTS = Path(__file__).parent / "snapshots"
PAGE = "https://club.example/bookings/{BOOKING_ID}"
LANGUAGES = ("en", "es", "de")
READABLE_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3, for text of any size."""

every_kind = pytest.mark.parametrize("kind", list(Kind))
every_language = pytest.mark.parametrize("locale", LANGUAGES)


def assert_like_snapshot(name: str, text: str) -> None:
    path = SNAPSHOTS / name
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def a_mail(kind: str = "booking-confirmed", locale: str = "en-GB") -> Mail:
    return render(a_story(kind), a_player(locale=locale), MONDAY_NOON, PAGE)


@every_kind
@every_language
def test_the_mail_reads_as_it_did(kind: str, locale: str) -> None:
    mail = a_mail(kind, locale)
    assert_like_snapshot(f"{kind}.{locale}.txt", f"Subject: {mail.subject}\n\n{mail.text}")
    assert_like_snapshot(f"{kind}.{locale}.html", mail.html)


@every_kind
@every_language
def test_text_and_html_tell_the_same_words(kind: str, locale: str) -> None:
    """Whatever a line of the text says, the HTML says too; a label and its fact are apart there."""
    mail = a_mail(kind, locale)
    read = unescape(re.sub(r"<(style|title).*?</\1>|<a href=\"([^\"]*)\"", r"\2", mail.html, flags=re.DOTALL))
    lines = [line.strip().strip("()") for line in mail.text.splitlines() if line.strip() not in ("", "--")]
    parts = [part for line in lines for part in ([line] if line in read else line.split(": ", maxsplit=1))]
    assert [part for part in parts if part not in read] == []
    assert str(BOOKING_ID) in read


@every_kind
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_word_stands_out_from_what_is_behind_it(kind: str, dark: bool) -> None:
    contrast, word = least_contrast(a_mail(kind).html, dark=dark)
    assert contrast >= READABLE_CONTRAST, word


def test_a_mail_that_nobody_can_read_is_noticed() -> None:
    """The judge of contrast itself: grey on white, and dark on dark once the card is dark."""
    style = "<style>.card { background: #111111 !important; }</style>"
    grey = style + '<td class="card" style="background:#ffffff"><p style="color:#999999">words</p></td>'
    assert least_contrast(grey, dark=False)[0] < READABLE_CONTRAST
    assert least_contrast(grey.replace("#999999", "#222222"), dark=True)[0] < READABLE_CONTRAST
    assert least_contrast(grey.replace("#999999", "#222222"), dark=False)[0] > READABLE_CONTRAST


@every_kind
def test_nothing_is_loaded_from_elsewhere(kind: str) -> None:
    html = a_mail(kind).html
    assert re.findall(r"<(?:img|link|script|iframe)|url\(|@import|@font-face", html) == []
    linked = re.findall(r'(?:href|src)="([^"]*)"', html)
    assert linked in ([], [PAGE.replace("{BOOKING_ID}", str(BOOKING_ID))])


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
    mail = a_mail(locale=locale)
    assert mail.text.startswith(title)
    assert f"<title>{title}</title>" in mail.html


def test_every_language_has_every_phrase() -> None:
    phrases = [tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(TEMPLATES.glob("phrases/*.toml"))]
    named = [{kind: sorted(words) for kind, words in language.items()} for language in phrases]
    assert len(named) == len(LANGUAGES)
    assert named[0] == named[1] == named[2]
    assert named[0].keys() == {"every-mail", *Kind}


def test_without_a_page_of_the_booking_there_is_no_button() -> None:
    mail = render(a_story("booking-held"), a_player(), MONDAY_NOON)
    assert "href" not in mail.html
    assert "Pay for your court" not in mail.html + mail.text
    assert "Pay for your court" in a_mail("booking-held").html


def test_a_court_booked_for_today_promises_no_free_cancellation() -> None:
    hour_before = a_story().booking.starts_at.replace(hour=16)
    mail = render(a_story(), a_player(), hour_before)
    assert "can no longer be cancelled free of charge: that was possible up to 24 hours before the start" in mail.text
    assert "until" not in mail.text
    assert "until" not in mail.html


def test_free_cancellation_over_the_end_of_summer_time_is_counted_in_hours() -> None:
    """From Saturday 19:00 to Sunday 18:00 are 24 hours that night."""
    sunday = a_story().booking.starts_at.replace(month=10, day=25)
    story = a_story(booking={"starts_at": sunday, "ends_at": sunday.replace(hour=18)})
    mail = render(story, a_player(), MONDAY_NOON.replace(month=10))
    assert "until Saturday, 24 October 2026, 19:00 (Central European Summer Time)" in mail.text
    assert "Time: 18:00 \N{EN DASH} 19:00" in mail.text


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("paid_too_late", "when the time to pay was over"),
        ("paid_twice", "the second payment goes back"),
        ("paid_elsewhere", "at a page that was not the one for this booking"),
    ],
)
@pytest.mark.parametrize("locale", ["en-GB", "es", "de"])
def test_money_that_nobody_asked_back_says_why_it_comes(reason: str, said: str, locale: str) -> None:
    told = {"refund_id": "r1", "order_id": "o1", "amount_minor": 3600, "currency": "EUR"}
    usual = render(
        a_story("refund-done", refund=told | {"reason": "cancelled_by_player"}), a_player(locale=locale), MONDAY_NOON
    )
    mail = render(a_story("refund-done", refund=told | {"reason": reason}), a_player(locale=locale), MONDAY_NOON)
    assert len(mail.text.splitlines()) > len(usual.text.splitlines())
    assert (said in mail.text, said in mail.html) == ((True, True) if locale == "en-GB" else (False, False))


def test_a_cancellation_without_a_refund_says_so() -> None:
    mail = render(a_story("booking-cancelled", booking={"refunds_due": []}), a_player(), MONDAY_NOON)
    assert "nothing to pay back" in mail.text
    assert "You get" not in mail.text


def test_the_club_that_gives_no_reason_is_not_quoted() -> None:
    mail = render(a_story("court-closed", reason=None), a_player(), MONDAY_NOON)
    assert "What the club says" not in mail.text + mail.html


def test_a_move_of_a_hold_still_asks_for_the_payment() -> None:
    held = {"status": "held", "hold_expires_at": MONDAY_NOON.replace(minute=15)}
    mail = render(a_story("booking-rescheduled", booking=held), a_player(), MONDAY_NOON, PAGE)
    assert "Pay by 13:15" in mail.text
    assert "invitation" not in mail.text


def test_words_from_outside_cannot_become_markup() -> None:
    hostile = "<script>alert(1)</script> {price} {{ 7 * 7 }}"
    story = a_story("court-closed", reason=hostile, booking={"court_name": "<b>1</b>", "venue_name": '"><img src=x>'})
    mail = render(story, a_player(name=hostile), MONDAY_NOON)
    assert re.findall(r"<(?:script|img|b)\b", mail.html) == []
    assert mail.html.count("&lt;script&gt;alert(1)&lt;/script&gt; {price} {{ 7 * 7 }}") == 2
    assert mail.text.count(hostile) == 2


def test_words_from_outside_stay_on_their_line() -> None:
    story = a_story(
        "court-closed", reason="Rain\r\nBcc: a@example.com", booking={"court_name": "1\r\nBcc: b@example.com"}
    )
    mail = render(story, a_player(name="Alba\r\n\r\nYou won! \u202e\x00" + "x" * 200), MONDAY_NOON)
    assert "\r" not in mail.subject + mail.text
    assert "\n" not in mail.subject
    assert "Hi Alba You won! xxx" in mail.text
    assert "x" * 80 not in mail.text
    assert not re.search(r"^Bcc", mail.text, flags=re.MULTILINE)
