"""A booking that is to move, and finds its new court taken: it stays where it is, and its player hears what is free."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.integration.booking.halls import Hall

HOUR = timedelta(hours=1)


async def move(hall: Hall, booking: dict[str, Any], player: str, court: str, starts_at: datetime) -> httpx.Response:
    body = {"court_id": court, "starts_at": starts_at.isoformat()}
    return await hall.club.ask("POST", f"/v1/bookings/{booking['id']}/reschedule", player, json=body)


async def test_who_moves_to_a_taken_slot_is_told_what_one_who_holds_it_is(hall: Hall) -> None:
    court, ten = hall.courts[0], hall.a_day() + timedelta(hours=10)
    await hall.booked("settled", court, ten)
    await hall.booked("settled", court, ten + 2 * HOUR)
    mine = await hall.booked("restless", court, ten + HOUR)
    moved = await move(hall, mine, "restless", court, ten)
    held = await hall.hold("passer-by", court, ten)
    assert (moved.status_code, moved.json()["code"]) == (409, "slot-already-taken")
    assert moved.json()["next_free_slots"] == [(ten + ahead * HOUR).isoformat() for ahead in (3, 4, 5)]
    assert moved.json() | {"instance": None} == held.json() | {"instance": None}
    kept = (await hall.club.ask("GET", f"/v1/bookings/{mine['id']}", "restless")).json()
    assert (kept["starts_at"], kept["version"]) == (mine["starts_at"], 2)


async def test_of_those_who_race_to_move_to_one_slot_all_but_one_hear_what_is_free(hall: Hall) -> None:
    day, wanted = hall.a_day() + timedelta(hours=8), hall.courts[5]
    players = [f"mover-{number}" for number in range(5)]
    mine = [await hall.booked(name, court, day) for name, court in zip(players, hall.courts, strict=False)]
    for target in (day + HOUR, day + 5 * HOUR, day + 9 * HOUR):
        moves = [move(hall, one, name, wanted, target) for one, name in zip(mine, players, strict=True)]
        answers = await asyncio.gather(*moves, hall.hold(f"holder at {target:%H}".replace(" ", "-"), wanted, target))
        won = [answer for answer in answers if answer.is_success]
        lost = [answer for answer in answers if not answer.is_success]
        assert len(won) == 1, [answer.text for answer in answers]
        assert {(answer.status_code, answer.json()["code"]) for answer in lost} == {(409, "slot-already-taken")}
        for answer in lost:
            told = answer.json()["next_free_slots"]
            assert len(told) == 3
            assert min(told) > target.isoformat()
        assert await hall.who_has(wanted, target, target + HOUR) == ["booking"]
