"""An API that is killed in the middle of a hold: the player asks again with the same key, and has one booking."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from services.chassis import crash_points
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot
from tests.programs import wait_until

POINTS_OF_A_HOLD = ("hold.asked", "hold.committed")
"""Before its one statement, and after that has committed: the answer is lost either way."""
NAME = "dying-club"


@asynccontextmanager
async def dying(club: Club, point: str, passes: int) -> AsyncIterator[str]:
    """The URL of a second process of the same club, that comes to the point so many times."""
    told = {"BOOKING_DATABASE_URL": club.database_url, crash_points.VARIABLE: f"{point}:{passes}"}
    try:
        yield await club.stack.start("booking", "api", name=NAME, **told)
    finally:
        await club.stack.kill(NAME)


@pytest.mark.slow
@pytest.mark.parametrize("passes", [1, 2])
@pytest.mark.parametrize("point", POINTS_OF_A_HOLD)
async def test_a_hold_whose_process_is_killed_is_one_booking_when_it_is_asked_for_again(
    club: Club, point: str, passes: int
) -> None:
    player, slots = f"{point}-{passes}", [a_free_slot() for _ in range(passes)]
    keys = [{"Idempotency-Key": f"{point} {number}"} for number in range(passes)]
    async with dying(club, point, passes) as url:
        there = replace(club, url=url)
        for slot, key in zip(slots[:-1], keys[:-1], strict=True):
            assert (await there.hold(player, *slot, **key)).status_code == 201
        with pytest.raises(httpx.TransportError):
            await there.hold(player, *slots[-1], **keys[-1])
        wait_until(lambda: club.stack.processes.running(NAME) is None, f"killed at {point}")
    court, starts_at = slots[-1]
    taken = f"court_id = '{court}' AND lower(during) = '{starts_at}'"
    was_committed = point == "hold.committed"
    assert await club.count("court_occupancy", taken) == was_committed

    answer = await club.hold(player, court, starts_at, **keys[-1])
    assert answer.status_code == 201, answer.text
    assert ("idempotency-replayed" in answer.headers) == was_committed
    booking_id = answer.json()["id"]
    assert await club.count("court_occupancy", f"{taken} AND booking_id = '{booking_id}'") == 1
    assert await club.count("bookings", f"court_id = '{court}' AND starts_at = '{starts_at}'") == 1
    assert await club.count("outbox", f"aggregateid = '{booking_id}' AND type = 'booking.held.v1'") == 1
