"""Blocks, holds and cancellations of one hour at once: whoever is first, its occupancy is never torn nor doubled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from tests.integration.booking.halls import Hall, a_player, at

pytestmark = pytest.mark.slow

ROUNDS = 20
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("over", ["refuse", "cancel", "keep"])
async def test_holds_that_race_with_a_block_leave_one_of_them(hall: Hall, over: str) -> None:
    """Two players and the staff want the same hour at once."""
    days = [hall.a_day() for _ in range(2)]
    for number in range(ROUNDS):
        day, court = days[number // 14], hall.courts[4]
        slot = at(day, 8 + number % 14)
        *holds, block = await asyncio.gather(
            hall.hold(a_player(), court, slot),
            hall.hold(a_player(), court, slot),
            hall.block(slot, slot + HOUR, court, over_bookings=over),
        )
        assert {answer.status_code for answer in holds} <= {201, 409}, [answer.text for answer in holds]
        held = [answer.json() for answer in holds if answer.status_code == 201]
        assert len(held) <= 1
        live = [booking for booking in held if await hall.status(booking) == "held"]
        assert await hall.who_has(court, slot, slot + HOUR) == (["booking"] if live else ["block"])
        assert block.status_code == (409 if over == "refuse" and live else 201), block.text
        assert not (over == "cancel" and live)


async def test_a_booking_that_is_cancelled_while_a_block_is_placed_leaves_no_gap(hall: Hall) -> None:
    """Neither sees the other's rows before it commits: the booking's row decides who is first."""
    days = [hall.a_day() for _ in range(2)]
    for number in range(ROUNDS):
        day, court, player = days[number // 14], hall.courts[4], a_player()
        slot = at(day, 8 + number % 14)
        booking = (await hall.hold(player, court, slot)).json()
        block, cancelled = await asyncio.gather(
            hall.block(slot, slot + HOUR, court, over_bookings="keep"), hall.cancel(booking, player)
        )
        assert (block.status_code, cancelled.status_code) == (201, 200)
        assert await hall.who_has(court, slot, slot + HOUR) == ["block"]


async def test_a_booking_that_is_cancelled_while_its_block_is_deleted_leaves_the_hour_free(hall: Hall) -> None:
    days = [hall.a_day() for _ in range(2)]
    for number in range(ROUNDS):
        day, court, player = days[number // 14], hall.courts[4], a_player()
        slot = at(day, 8 + number % 14)
        booking = (await hall.hold(player, court, slot)).json()
        block = (await hall.block(slot, slot + HOUR, court, over_bookings="keep")).json()["blocked_slots"][0]["id"]
        answers = await asyncio.gather(hall.unblock(block), hall.cancel(booking, player))
        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
        assert await hall.who_has(court, slot, slot + HOUR) == ["nobody"]


async def test_blocks_that_overlap_and_come_and_go_at_once_end_consistently(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[5]
    for number in range(ROUNDS):
        first = (await hall.block(at(day, 9), at(day, 13), court)).json()["blocked_slots"][0]["id"]
        gone, second = await asyncio.gather(hall.unblock(first), hall.block(at(day, 11), at(day, 15), court))
        assert (gone.status_code, second.status_code) == (200, 201), number
        having = await hall.who_has(court, at(day, 9), at(day, 15))
        assert (having[0], set(having[1:])) == ("nobody", {"block"})
        await hall.unblock(second.json()["blocked_slots"][0]["id"])
    assert await hall.who_has(court, at(day, 9), at(day, 15)) == ["nobody"]
