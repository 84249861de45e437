from __future__ import annotations

import hashlib
from uuid import uuid4

from icalendar import Calendar

from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot


async def test_a_booking_goes_into_the_players_calendar(club: Club) -> None:
    court_id, starts_at = a_free_slot()
    booking = (await club.hold("organised", court_id, starts_at)).json()
    path = f"/v1/bookings/{booking['id']}/calendar.ics"
    answer = await club.ask("GET", path, "organised")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    (event,) = Calendar.from_ical(answer.content).events
    assert event.start.isoformat() == starts_at
    assert (event["SEQUENCE"], event["STATUS"]) == (1, "TENTATIVE")
    assert (await club.ask("GET", path, "curious")).json()["code"] == "booking-not-found"


async def test_a_feed_needs_its_address_and_nothing_else(club: Club) -> None:
    assert (await club.ask("GET", "/v1/me/calendar", "subscriber")).json() == {"since": None}
    booking = (await club.hold("subscriber", *a_free_slot())).json()
    gone = (await club.hold("subscriber", *a_free_slot())).json()
    await club.ask("POST", f"/v1/bookings/{gone['id']}/cancel", "subscriber", json={})
    made = await club.ask("POST", "/v1/me/calendar", "subscriber")
    assert made.status_code == 201
    feed = await club.client.get(club.url + "/v1/calendars/" + made.json()["url"].rpartition("/")[2])
    events = {event.uid: event["STATUS"] for event in Calendar.from_ical(feed.content).events}
    assert events == {f"{booking['id']}@courtside": "TENTATIVE", f"{gone['id']}@courtside": "CANCELLED"}
    since = (await club.ask("GET", "/v1/me/calendar", "subscriber")).json()["since"]
    assert since == made.json()["since"]


async def test_a_new_address_closes_the_old_one(club: Club) -> None:
    paths = [await _renew(club, "careful") for _ in range(2)]
    old, new = [await club.ask("GET", path) for path in paths]
    assert (old.status_code, old.json()["code"]) == (404, "calendar-not-found")
    assert new.status_code == 200


async def test_the_table_opens_no_feed(club: Club) -> None:
    path = await _renew(club, "cautious")
    token = path.removeprefix("/v1/calendars/").removesuffix(".ics")
    kept = await club.database.fetch("SELECT token_hash FROM calendar_feeds")
    assert hashlib.sha256(token.encode()).digest() in {row["token_hash"] for row in kept}
    for guess in (kept[0]["token_hash"].hex(), str(uuid4()), "x", "%20", "a" * 100):
        assert (await club.ask("GET", f"/v1/calendars/{guess}.ics")).json()["code"] == "calendar-not-found"


async def _renew(club: Club, player: str) -> str:
    url: str = (await club.ask("POST", "/v1/me/calendar", player)).json()["url"]
    return "/v1/calendars/" + url.rpartition("/")[2]
