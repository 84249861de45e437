from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
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
    assert (await club.ask("GET", path, "peeping")).json()["code"] == "booking-not-found"


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
    paths = [await _renew(club, "renewing") for _ in range(2)]
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


async def test_a_repeated_request_gets_the_same_address_and_renews_once(club: Club) -> None:
    key = {"Idempotency-Key": "my-feed"}
    copies = await asyncio.gather(*(club.ask("POST", "/v1/me/calendar", "insistent", headers=key) for _ in range(4)))
    assert {copy.status_code for copy in copies} == {201}
    assert len({copy.content for copy in copies}) == 1
    assert Counter(copy.headers.get("idempotency-replayed") for copy in copies) == {None: 1, "true": 3}
    assert {copy.headers["cache-control"] for copy in copies} == {"private, no-store"}
    path = "/v1/calendars/" + copies[0].json()["url"].rpartition("/")[2]
    assert (await club.ask("GET", path)).status_code == 200
    held = await club.hold("insistent", *a_free_slot(), **key)
    assert (held.status_code, held.json()["code"]) == (422, "idempotency-key-reused")


async def test_the_kept_answer_opens_no_feed(club: Club) -> None:
    made = await club.ask("POST", "/v1/me/calendar", "discreet", headers={"Idempotency-Key": "discreet-feed"})
    token = made.json()["url"].rpartition("/")[2].removesuffix(".ics")
    kept = await club.database.fetchrow("SELECT * FROM idempotency_keys WHERE key = 'discreet-feed'")
    assert kept is not None
    assert token not in str(dict(kept))
    guess = json.loads(kept["body"])["salt"]
    assert (await club.ask("GET", f"/v1/calendars/{guess}.ics")).status_code == 404


async def _renew(club: Club, player: str) -> str:
    url: str = (await club.ask("POST", "/v1/me/calendar", player)).json()["url"]
    return "/v1/calendars/" + url.rpartition("/")[2]
