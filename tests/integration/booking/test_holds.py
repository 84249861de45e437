from __future__ import annotations

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta

import asyncpg
import pytest

from services.booking.venues.seed import court_id
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot, tomorrow


async def test_a_player_holds_a_free_slot(club: Club) -> None:
    court, starts_at = a_free_slot()
    answer = await club.hold("hanna", court, starts_at)
    booking = answer.json()
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == booking["links"]["self"] == f"/v1/bookings/{booking['id']}"
    assert answer.headers["etag"] == '"1"'
    assert (booking["status"], booking["starts_at"], booking["version"]) == ("held", starts_at, 1)
    assert booking["price"]["currency"] == "EUR"
    held_for = datetime.fromisoformat(booking["hold_expires_at"]) - datetime.fromisoformat(booking["created_at"])
    assert held_for == timedelta(minutes=15)
    assert (await club.ask("GET", f"/v1/bookings/{booking['id']}", "hanna")).json() == booking


async def test_a_hold_its_seat_its_occupancy_and_its_event_are_one_commit(club: Club) -> None:
    booking_id = (await club.hold("otto", *a_free_slot())).json()["id"]
    assert await club.count("bookings", f"id = '{booking_id}' AND seat = 1 AND status = 'held'") == 1
    assert await club.count("court_occupancy", f"booking_id = '{booking_id}'") == 1
    row = await club.database.fetchrow("SELECT * FROM outbox WHERE aggregateid = $1", booking_id)
    assert row is not None
    assert (row["aggregatetype"], row["type"]) == ("booking.events", "booking.held.v1")
    assert json.loads(row["payload"])["booking_id"] == booking_id


async def test_forty_players_race_for_one_slot(club: Club) -> None:
    court, starts_at = a_free_slot()
    await asyncio.gather(*(club.ask("GET", "/livez") for _ in range(40)))

    answers = await asyncio.gather(*(club.hold(f"racer{number}", court, starts_at) for number in range(40)))
    codes = Counter((answer.status_code, answer.json().get("code", "held")) for answer in answers)
    assert codes == {(201, "held"): 1, (409, "slot-already-taken"): 39}
    assert await club.count("court_occupancy", f"court_id = '{court}' AND lower(during) = '{starts_at}'") == 1


async def test_a_loser_is_told_the_next_free_slots(club: Club) -> None:
    court, starts_at = str(court_id(5)), tomorrow(22).isoformat()
    await club.hold("winner", court, starts_at)
    problem = (await club.hold("loser", court, starts_at)).json()
    assert problem["type"] == "/problems/slot-already-taken"
    assert len(problem["next_free_slots"]) == 3
    assert all(slot > starts_at for slot in problem["next_free_slots"])
    assert (await club.hold("loser", court, problem["next_free_slots"][-1])).status_code == 201


async def test_a_player_has_at_most_two_active_bookings_under_any_race(club: Club) -> None:
    answers = await asyncio.gather(*(club.hold("greedy", *a_free_slot()) for _ in range(12)))
    codes = Counter(answer.json().get("code", "held") for answer in answers)
    assert codes == {"held": 2, "active-booking-limit": 10}
    assert next(answer.json()["limit"] for answer in answers if answer.status_code == 409) == 2


async def test_a_hold_that_is_over_gives_way_to_the_next_player(club: Club) -> None:
    court, starts_at = a_free_slot()
    first = (await club.hold("slow", court, starts_at)).json()["id"]
    assert (await club.hold("quick", court, starts_at)).status_code == 409
    await _let_expire(club, first)
    second = await club.hold("quick", court, starts_at)
    assert second.status_code == 201, second.text
    assert (await club.ask("GET", f"/v1/bookings/{first}", "slow")).json()["status"] == "expired"
    types = await club.database.fetch("SELECT type FROM outbox WHERE aggregateid = $1 ORDER BY seq", first)
    assert [row["type"] for row in types] == ["booking.held.v1", "booking.expired.v1"]


async def test_a_seat_of_a_hold_that_is_over_is_free_again(club: Club) -> None:
    held = [(await club.hold("seated", *a_free_slot())).json()["id"] for _ in range(2)]
    assert (await club.hold("seated", *a_free_slot())).status_code == 409
    await _let_expire(club, held[0])
    assert (await club.hold("seated", *a_free_slot())).status_code == 201
    assert (await club.hold("seated", *a_free_slot())).status_code == 409


async def test_the_database_refuses_an_overlap_by_itself(club: Club) -> None:
    court, starts_at = a_free_slot()
    await club.hold("first", court, starts_at)
    other = (await club.hold("second", *a_free_slot())).json()["id"]
    with pytest.raises(asyncpg.ExclusionViolationError) as refused:
        await club.database.execute(
            "UPDATE court_occupancy SET court_id = $2, during = tstzrange($3, $4) WHERE booking_id = $1",
            other,
            court,
            datetime.fromisoformat(starts_at) + timedelta(minutes=30),
            datetime.fromisoformat(starts_at) + timedelta(minutes=60),
        )
    assert refused.value.constraint_name == "court_occupancy_no_overlap"


async def test_a_repeated_request_gets_the_first_answer(club: Club) -> None:
    court, starts_at = a_free_slot()
    key = {"Idempotency-Key": '"order-66"'}
    first = await club.hold("twice", court, starts_at, **key)
    again = await club.hold("twice", court, starts_at, **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert await club.count("bookings", f"id = '{first.json()['id']}'") == 1


async def test_copies_of_a_request_that_are_under_way_together_make_one_booking(club: Club) -> None:
    court, starts_at = a_free_slot()
    copies = await asyncio.gather(
        *(club.hold("parallel", court, starts_at, **{"Idempotency-Key": "k"}) for _ in range(8))
    )
    assert {copy.status_code for copy in copies} == {201}
    assert len({copy.content for copy in copies}) == 1


async def test_a_key_belongs_to_one_request_of_one_player(club: Club) -> None:
    key = {"Idempotency-Key": "mine"}
    assert (await club.hold("keeper", *a_free_slot(), **key)).status_code == 201
    other = await club.hold("keeper", *a_free_slot(), **key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert (await club.hold("stranger", *a_free_slot(), **key)).status_code == 201


async def test_the_way_to_the_checkout_is_open_while_the_slot_is_held(club: Club) -> None:
    booking_id = (await club.hold("payer", *a_free_slot())).json()["id"]
    path = f"/v1/bookings/{booking_id}/checkout"
    early = await club.ask("GET", path, "payer")
    assert (early.status_code, early.json()["code"], early.headers["retry-after"]) == (409, "checkout-not-ready", "1")
    await club.database.execute("UPDATE bookings SET checkout_url = 'https://pay.example/c' WHERE id = $1", booking_id)
    ready = await club.ask("GET", path, "payer")
    assert (ready.status_code, ready.headers["location"]) == (303, "https://pay.example/c")
    await _let_expire(club, booking_id)
    late = await club.ask("GET", path, "payer")
    assert (late.status_code, late.json()["code"]) == (410, "hold-expired")


async def test_availability_shows_what_can_be_held(club: Club) -> None:
    court, starts_at = str(court_id(8)), tomorrow(20).isoformat()

    async def free() -> bool:
        query = {"venue_id": "019ab1d0-0c0a-7000-8000-000000000001", "date": starts_at[:10]}
        answer = (await club.ask("GET", "/v1/availability", params=query)).json()
        slots = next(found["slots"] for found in answer["days"][0]["courts"] if found["court_id"] == court)
        assert len(slots) in (14, 15)
        return starts_at in [slot["starts_at"] for slot in slots]

    assert await free()
    booking_id = (await club.hold("visitor", court, starts_at)).json()["id"]
    assert not await free()
    await _let_expire(club, booking_id)
    assert await free()


async def _let_expire(club: Club, booking_id: str) -> None:
    """As if its 15 minutes had passed."""
    await club.database.execute(
        "UPDATE bookings SET hold_expires_at = now() - interval '1 ms' WHERE id = $1", booking_id
    )
