from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import event

from services.booking.availability.domain import Question
from services.booking.availability.queries import OCCUPIED, look
from services.booking.availability.representation import represent
from services.booking.settings import BookingSettings
from services.booking.venues.queries import Catalogue
from services.booking.venues.seed import VENUE_ID, court_id
from services.chassis.database import Database, StatelessConnection
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import BLOCK, MADRID

COURTS = 3
SEEN_WITHIN_SECONDS = 60
"""Processes read the catalogue anew every five; the machine may have other things to do."""
HOURS = "INSERT INTO opening_hours (venue_id, weekday, opens, closes) SELECT $1, day, '08:00', '20:00' FROM generate_series(0, 6) day"
EVERYBODY_AND_STAFF = """
INSERT INTO price_rules (id, venue_id, court_id, weekdays, starts, ends, price_minor, priority, role)
VALUES ($2, $1, NULL, '{0,1,2,3,4,5,6}', '00:00', '00:00', 2000, 0, NULL),
       ($3, $1, NULL, '{0,1,2,3,4,5,6}', '08:00', '10:00', 0, 5, NULL),
       ($4, $1, NULL, '{0,1,2,3,4,5,6}', '00:00', '00:00', 500, 10, 'staff')
"""


@dataclass(frozen=True)
class Annex:
    """A venue of its own: three courts of 60 minutes from 8 to 20, in Madrid, closed in eleven days."""

    club: Club
    id: UUID
    courts: list[UUID]
    everybody: UUID
    early: UUID
    staff: UUID

    def day(self, ahead: int) -> date:
        return datetime.now(UTC).astimezone(MADRID).date() + timedelta(days=ahead)

    def at(self, ahead: int, hour: int) -> str:
        return datetime(*self.day(ahead).timetuple()[:3], hour, tzinfo=MADRID).isoformat()

    async def ask(self, ahead: int, player: str | None = None, role: str = "player", **query: Any) -> httpx.Response:
        headers = query.pop("headers", {})
        query = {"venue_id": str(self.id), "from": self.day(ahead).isoformat()} | query
        return await self.club.ask("GET", "/v1/availability", player, role, params=query, headers=headers)

    async def slots(self, ahead: int, court: int = 0, **query: Any) -> dict[str, dict[str, Any]]:
        """Of one court on one day, by their start."""
        answer = await self.ask(ahead, court_id=str(self.courts[court]), **query)
        assert answer.status_code == 200, answer.text
        return {slot["starts_at"]: slot for slot in answer.json()["days"][0]["courts"][0]["slots"]}


@pytest.fixture(scope="module")
async def annex(club: Club) -> Annex:
    made = Annex(club, uuid4(), [uuid4() for _ in range(COURTS)], uuid4(), uuid4(), uuid4())
    await club.database.execute(
        "INSERT INTO venues (id, name, time_zone, currency, hold_minutes, cancellation_window_hours, max_active_bookings,"
        " booking_horizon_days, minimum_notice_minutes) VALUES ($1, 'Annex', 'Europe/Madrid', 'EUR', 15, 24, 2, 20, 0)",
        made.id,
    )
    await club.database.executemany(
        "INSERT INTO courts (id, venue_id, name, surface, slot_minutes, active) VALUES ($1, $2, $3, 'clay', 60, true)",
        [(court, made.id, f"Annex {number}") for number, court in enumerate(made.courts)],
    )
    await club.database.execute(HOURS, made.id)
    await club.database.execute(EVERYBODY_AND_STAFF, made.id, made.everybody, made.early, made.staff)
    await club.database.execute(
        "INSERT INTO opening_exceptions (venue_id, date, reason) VALUES ($1, $2, 'Works on the roof')",
        made.id,
        made.day(11),
    )
    await _until_seen(made)
    return made


async def _until_seen(annex: Annex) -> None:
    deadline = time.monotonic() + SEEN_WITHIN_SECONDS
    while (await annex.ask(1)).status_code != 200:
        assert time.monotonic() < deadline, "the new venue did not appear"
        await asyncio.sleep(0.1)


async def test_the_free_slots_of_some_days_by_day_and_court(annex: Annex) -> None:
    answer = (await annex.ask(1, days=14)).json()
    assert (answer["venue_name"], answer["time_zone"]) == ("Annex", "Europe/Madrid")
    assert [day["date"] for day in answer["days"]] == [annex.day(ahead).isoformat() for ahead in range(1, 15)]
    assert [court["name"] for court in answer["days"][0]["courts"]] == ["Annex 0", "Annex 1", "Annex 2"]
    assert answer["days"][13]["courts"][2]["slots"][2] == {
        "starts_at": annex.at(14, 10),
        "ends_at": annex.at(14, 11),
        "price": {"amount": 2000, "currency": "EUR"},
        "reason": None,
    }


async def test_date_is_another_word_for_from(annex: Annex) -> None:
    by_date = await annex.club.ask(
        "GET", "/v1/availability", params={"venue_id": str(annex.id), "date": annex.day(9).isoformat()}
    )
    assert by_date.content == (await annex.ask(9)).content
    assert len(by_date.json()["days"]) == 1


async def test_courts_can_be_chosen_by_the_length_of_their_slots(annex: Annex) -> None:
    assert len((await annex.ask(1, duration=60)).json()["days"][0]["courts"]) == COURTS
    assert (await annex.ask(1, duration=90)).json()["days"][0]["courts"] == []


async def test_what_is_taken_is_shown_on_request_with_a_reason_and_without_a_person(annex: Annex) -> None:
    held = (await annex.club.hold("secretive", str(annex.courts[0]), annex.at(3, 10))).json()
    await _block(annex, 0, 3, 12)
    free = await annex.slots(3)
    assert {annex.at(3, 10), annex.at(3, 12)}.isdisjoint(free)
    shown = await annex.slots(3, include="unavailable")
    assert {start: slot["reason"] for start, slot in shown.items() if slot["reason"]} == {
        annex.at(3, 10): "booked",
        annex.at(3, 12): "blocked",
    }
    assert all(slot.keys() == {"starts_at", "ends_at", "price", "reason"} for slot in shown.values())
    told = (await annex.ask(3, include="unavailable")).text
    user = await annex.club.database.fetchval("SELECT user_id FROM bookings WHERE id = $1", held["id"])
    assert not any(secret in told for secret in ("secretive", held["id"], str(user)))


async def test_a_hold_that_is_over_counts_as_free(annex: Annex) -> None:
    held = (await annex.club.hold("gone", str(annex.courts[1]), annex.at(3, 11))).json()
    assert annex.at(3, 11) not in await annex.slots(3, court=1)
    await annex.club.database.execute(
        "UPDATE bookings SET hold_expires_at = now() - interval '1 ms' WHERE id = $1", held["id"]
    )
    assert (await annex.slots(3, court=1, include="unavailable"))[annex.at(3, 11)]["reason"] is None


async def test_closed_over_and_too_far_days_say_so(annex: Annex) -> None:
    for ahead, reason in ((11, "closed"), (-1, "past"), (21, "beyond_horizon")):
        assert await annex.slots(ahead) == {}
        shown = await annex.slots(ahead, include="unavailable")
        assert ({slot["reason"] for slot in shown.values()}, len(shown)) == ({reason}, 12)
    assert (await annex.ask(11)).json()["days"][0]["notice"] == "Works on the roof"
    assert (await annex.ask(10)).json()["days"][0]["notice"] is None


async def test_an_unchanged_answer_is_not_sent_again(annex: Annex) -> None:
    first = await annex.ask(5)
    etag = first.headers["etag"]
    again = await annex.ask(5, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert first.headers["cache-control"] == again.headers["cache-control"] == "no-cache"
    assert first.headers["vary"] == "Authorization"
    await annex.club.hold("change", str(annex.courts[2]), annex.at(5, 11))
    changed = await annex.ask(5, headers={"If-None-Match": etag})
    assert (changed.status_code, changed.headers["etag"] == etag) == (200, False)
    assert (await annex.ask(6, headers={"If-None-Match": etag})).status_code == 200


async def test_the_price_is_that_of_the_callers_role_and_frozen_with_its_rule(annex: Annex) -> None:
    start = annex.at(7, 15)
    await annex.club.hire("sue", annex.id)
    assert (await annex.slots(7, player="pat"))[start]["price"]["amount"] == 2000
    assert (await annex.slots(7, player="sue", role="staff"))[start]["price"]["amount"] == 500
    for player, role, hour, price, rule in (
        ("pat", "player", 15, 2000, annex.everybody),
        ("sue", "staff", 16, 500, annex.staff),
    ):
        body = {"court_id": str(annex.courts[0]), "starts_at": annex.at(7, hour)}
        booking = (await annex.club.ask("POST", "/v1/bookings", player, role, json=body)).json()
        assert booking["price"]["amount"] == price
        row = await annex.club.database.fetchrow("SELECT * FROM bookings WHERE id = $1", booking["id"])
        assert row is not None
        assert (row["price_minor"], row["price_rule_id"]) == (price, rule)


async def test_the_loser_of_a_slot_at_the_staffs_price_is_told_what_is_free(annex: Annex) -> None:
    body = {"court_id": str(annex.courts[1]), "starts_at": annex.at(7, 11)}
    for name in ("first-of-staff", "second-of-staff"):
        await annex.club.hire(name, annex.id)
    await annex.club.ask("POST", "/v1/bookings", "first-of-staff", "staff", json=body)
    lost = await annex.club.ask("POST", "/v1/bookings", "second-of-staff", "staff", json=body)
    assert (lost.status_code, lost.json()["code"]) == (409, "slot-already-taken")
    assert lost.json()["next_free_slots"] == [annex.at(7, 12), annex.at(7, 13), annex.at(7, 14)]


async def test_a_price_of_nothing_confirms_without_a_payment(annex: Annex) -> None:
    booking = (await annex.club.hold("early-bird", str(annex.courts[0]), annex.at(8, 9))).json()
    assert (booking["status"], booking["price"]["amount"], booking["hold_expires_at"]) == ("confirmed", 0, None)
    assert await annex.club.count("bookings", f"id = '{booking['id']}' AND price_rule_id = '{annex.early}'") == 1
    told = await annex.club.database.fetch("SELECT type FROM outbox WHERE aggregateid = $1", booking["id"])
    assert [row["type"] for row in told] == ["booking.confirmed.v1"]


async def test_a_club_that_wants_notice_gets_it(annex: Annex) -> None:
    await annex.club.database.execute("UPDATE venues SET minimum_notice_minutes = 2880 WHERE id = $1", annex.id)
    deadline = time.monotonic() + SEEN_WITHIN_SECONDS
    while not (shown := await annex.slots(1, include="unavailable")) or any(
        s["reason"] is None for s in shown.values()
    ):
        assert time.monotonic() < deadline, "the notice was not seen"
        await asyncio.sleep(0.1)
    assert {slot["reason"] for slot in shown.values()} == {"too_soon"}
    refused = await annex.club.hold("hurried", str(annex.courts[0]), annex.at(1, 10))
    assert (refused.status_code, refused.json()["code"]) == (422, "slot-too-soon")
    assert datetime.fromisoformat(refused.json()["first_bookable_instant"]) > datetime.fromisoformat(annex.at(1, 10))


@pytest.mark.parametrize(
    ("query", "status", "wrong"),
    [
        ({"days": 0}, 422, "days"),
        ({"days": 15}, 422, "days"),
        ({"days": "many"}, 422, "days"),
        ({"from": "9999-12-31"}, 422, "from"),
        ({"from": "0001-01-01"}, 422, "from"),
        ({"from": "2026-02-30"}, 422, "from"),
        ({"from": "", "date": "2026-02-30"}, 422, "date"),
        ({"date": "2026-11-28"}, 422, "from"),
        ({"duration": 45}, 422, "duration"),
        ({"court_id": "central"}, 422, "court_id"),
        ({"include": "names"}, 422, "include"),
        ({"court_id": str(uuid4())}, 404, "court-not-found"),
        ({"court_id": str(court_id(1))}, 404, "court-not-found"),
        ({"venue_id": str(uuid4())}, 404, "venue-not-found"),
    ],
)
async def test_a_question_that_makes_no_sense(annex: Annex, query: dict[str, Any], status: int, wrong: str) -> None:
    answer = await annex.ask(1, **query)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    if status == 404:
        assert answer.json()["code"] == wrong
    else:
        assert wrong in {error["parameter"] for error in answer.json()["errors"]}


async def test_without_any_day_the_question_is_refused(annex: Annex) -> None:
    answer = await annex.club.ask("GET", "/v1/availability", params={"venue_id": str(annex.id)})
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "from")


async def test_a_token_that_is_not_valid_is_refused_though_none_is_needed(annex: Annex) -> None:
    answer = await annex.ask(1, headers={"Authorization": "Bearer not.a.token"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token-not-valid")


async def test_one_statement_for_any_number_of_courts_and_days(club: Club) -> None:
    database = await Database.open(BookingSettings(database_url=SecretStr(club.database_url)))
    sent, other_ways = list[str](), list[int]()

    async def listen(connection: Any) -> None:
        connection.add_query_logger(lambda record: sent.append(record.query))

    venue = await Catalogue(database).venue(VENUE_ID)
    event.listen(database.engine.sync_engine, "before_cursor_execute", lambda *_: other_ways.append(1))
    now = datetime.now(UTC)
    async with asyncpg.create_pool(
        club.database_url, min_size=0, init=listen, connection_class=StatelessConnection
    ) as pool:
        counted = replace(database, pool=pool)
        await look(counted, Question(venue, now.date(), 1), now)  # a connection learns its types at its first question
        sent.clear()
        for days, court in ((1, court_id(1)), (1, None), (14, court_id(1)), (14, None)):
            question = Question(venue, now.date() + timedelta(days=1), days, court_id=court, with_unavailable=True)
            shown = represent(await look(counted, question, now))
            assert len(shown["days"]) * len(shown["days"][0]["courts"]) == days * (1 if court else 8)
    await database.close()
    assert (sent, other_ways) == ([OCCUPIED] * 4, [])


async def _block(annex: Annex, court: int, ahead: int, hour: int) -> None:
    starts_at = datetime.fromisoformat(annex.at(ahead, hour))
    await annex.club.database.execute(
        BLOCK,
        annex.courts[court],
        starts_at,
        starts_at + timedelta(hours=1),
    )


async def test_staff_of_another_club_pays_what_a_player_pays(annex: Annex) -> None:
    """They look, hold and move; a token says staff, and only the club says where."""
    await annex.club.hire("away")
    assert (await annex.slots(8, player="away", role="staff"))[annex.at(8, 15)]["price"]["amount"] == 2000
    body = {"court_id": str(annex.courts[1]), "starts_at": annex.at(8, 15)}
    booking = (await annex.club.ask("POST", "/v1/bookings", "away", "staff", json=body)).json()
    assert booking["price"]["amount"] == 2000
    assert await _moved(annex, booking["id"], "away") == 0


async def test_staff_moves_its_own_booking_at_its_own_price_and_a_players_at_the_players(annex: Annex) -> None:
    await annex.club.hire("desk", annex.id)
    body = {"court_id": str(annex.courts[2]), "starts_at": annex.at(9, 15)}
    own = (await annex.club.ask("POST", "/v1/bookings", "desk", "staff", json=body)).json()
    assert own["price"]["amount"] == 500
    assert await _moved(annex, own["id"], "desk", hour=17) == 0
    guest = {"user_id": await annex.club.sign_in("guest"), "starts_at": annex.at(9, 17)}
    booked = (await annex.club.ask("POST", "/v1/bookings", "desk", "staff", json=body | guest)).json()
    assert booked["price"]["amount"] == 2000
    assert await _moved(annex, booked["id"], "desk", hour=18) == 0


async def _moved(annex: Annex, booking_id: str, by: str, hour: int = 16) -> int:
    """By how much the new slot is dearer, for one who is paid up."""
    pay = "UPDATE bookings SET status = 'confirmed', hold_expires_at = NULL WHERE id = $1"
    await annex.club.database.execute(pay, booking_id)
    body = {"court_id": str(annex.courts[1]), "starts_at": annex.at(10, hour)}
    moved = await annex.club.ask("POST", f"/v1/bookings/{booking_id}/reschedule", by, "staff", json=body)
    assert moved.status_code == 200, moved.text
    return int(moved.json()["price_difference"]["amount"])
