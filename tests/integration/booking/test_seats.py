"""No cron runs here: a game that is over gives its seat to whatever request of its player needs one."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

from services.booking.bookings import mutations
from tests.integration.booking.halls import Hall

PLAYED = "UPDATE bookings SET starts_at = starts_at - $2::interval, ends_at = ends_at - $2::interval WHERE id = $1"
CLAIM_OF_THE_PAST = """
UPDATE court_occupancy SET during = tstzrange(lower(during) - $2::interval, upper(during) - $2::interval) WHERE booking_id = $1
"""
WHOLE_STORY = ["booking.held.v1", "booking.confirmed.v1", "booking.completed.v1"]


async def two_played(hall: Hall, player: str) -> list[dict[str, Any]]:
    """Two bookings of a player, paid for, that are over: as if it were two years later."""
    day = hall.a_day()
    games = [await hall.booked(player, hall.courts[court], day + timedelta(hours=9)) for court in (0, 1)]
    for game in games:
        for move in (PLAYED, CLAIM_OF_THE_PAST):
            await hall.club.database.execute(move, game["id"], timedelta(days=730))
    return games


async def story(hall: Hall, booking: dict[str, Any]) -> list[str]:
    events = await hall.told(booking["id"])
    assert [event["version"] for event in events] == list(range(1, len(events) + 1))
    return [event["type"] for event in events]


async def cron_comes(hall: Hall) -> None:
    """Until it has nothing left to do."""
    while await hall.worker.unit_of_work.run(lambda work: mutations.complete_ended(work, hall.worker.catalogue)):
        pass


async def test_games_that_are_over_leave_their_seats_to_the_next_hold(hall: Hall) -> None:
    games = await two_played(hall, "veteran-of-the-hall")
    third = await hall.hold("veteran-of-the-hall", hall.courts[0], hall.a_day() + timedelta(hours=9))
    assert third.status_code == 201, third.text
    assert [await story(hall, game) for game in games] == [WHOLE_STORY] * 2
    assert await hall.club.count("court_occupancy", f"booking_id IN ('{games[0]['id']}', '{games[1]['id']}')") == 0
    await cron_comes(hall)
    assert [await story(hall, game) for game in games] == [WHOLE_STORY] * 2


async def test_many_holds_at_once_and_the_cron_complete_each_game_once(hall: Hall) -> None:
    games, day = await two_played(hall, "hasty-of-the-hall"), hall.a_day()
    holds = [hall.hold("hasty-of-the-hall", court, day + timedelta(hours=9)) for court in hall.courts]
    answers, _ = await asyncio.gather(asyncio.gather(*holds), cron_comes(hall))
    codes = Counter(answer.json().get("code", "held") for answer in answers)
    assert codes == {"held": 2, "active-booking-limit": 4}
    assert [await story(hall, game) for game in games] == [WHOLE_STORY] * 2


async def test_staff_books_for_a_player_whose_games_are_over(hall: Hall) -> None:
    games = await two_played(hall, "guest-of-the-hall")
    body = {"user_id": games[0]["user_id"], "court_id": hall.courts[0], "without_payment": True}
    body |= {"starts_at": (hall.a_day() + timedelta(hours=9)).isoformat()}
    booked = await hall.club.ask("POST", "/v1/bookings", "keeper", "staff", json=body)
    assert (booked.status_code, booked.json()["status"]) == (201, "confirmed"), booked.text
    assert [await story(hall, game) for game in games] == [WHOLE_STORY] * 2


async def test_a_late_payment_finds_the_seat_of_a_game_that_is_over(hall: Hall) -> None:
    late = (await hall.hold("late-of-the-hall", hall.courts[2], hall.a_day() + timedelta(hours=9))).json()
    expire = "UPDATE bookings SET hold_expires_at = now() - interval '1 s' WHERE id = $1"
    await hall.club.database.execute(expire, late["id"])
    await hall.worker.unit_of_work.run(lambda work: mutations.expire_all(work, hall.worker.catalogue))
    games = await two_played(hall, "late-of-the-hall")
    await hall.pay(late)
    assert await hall.status(late) == "confirmed"
    assert [await story(hall, game) for game in games] == [WHOLE_STORY] * 2
