"""b. Sixty-four clients on one slot: how soon everybody has an answer, and how fast a slot that is taken is refused."""

from __future__ import annotations

from tests.bench import load
from tests.bench.bench import Bench
from tests.bench.booking_api import BookingApi, booking_api
from tests.bench.club import hold
from tests.bench.lines import Line, at_least, at_most
from tests.bench.rounds import Series

CLIENTS = 64
RACES_A_ROUND = 10
REFUSALS_A_SECOND = 6_000
"""More than are answered: requests are not to run out."""

DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def measure(bench: Bench) -> list[Line]:
    async with booking_api(bench, regulars=CLIENTS * RACES_A_ROUND) as api:
        before = await api.club.connection.fetchval(DEADLOCKS)
        races = [await _race(api) for _ in range(bench.rounds)]
        refused = [await _refuse(bench, api) for _ in range(bench.rounds)]
        deadlocks = await api.club.connection.fetchval(DEADLOCKS) - before
    settled, per_second = [1000 * race.seconds for many in races for race in many], [one.per_second for one in refused]
    return [
        Line(f"{CLIENTS} clients on one slot: all are answered", "ms", Series.of(settled), target=at_most(100)),
        Line("the slowest of all these races", "ms", Series.of([max(settled)])),
        Line("deadlocks (40P01) in all of it", "", Series.of([deadlocks]), target=at_most(0)),
        Line(f"refusals of a taken slot, {CLIENTS} clients", "/s", Series.of(per_second), target=at_least(1_500)),
        Line("a refusal: p99", "ms", Series.of(one.percentile_ms(99) for one in refused)),
    ]


async def _race(api: BookingApi) -> list[load.Load]:
    """Several races one after the other, each for a slot of its own: one player has it, all others are refused."""
    await api.club.clear()
    waves = [[_wish(api, client, slot) for client in range(CLIENTS)] for slot in range(RACES_A_ROUND)]
    races = await load.burst(api.url, CLIENTS, waves)
    for race in races:
        assert race.statuses == {201: 1, 409: CLIENTS - 1}, race.statuses
    return races


async def _refuse(bench: Bench, api: BookingApi) -> load.Load:
    await api.club.clear()
    await load.burst(api.url, 1, [[_wish(api, 0, 0)]])
    wishes = [_wish(api, number, 0) for number in range(1, int(REFUSALS_A_SECOND * bench.seconds))]
    refused = await load.sustain(api.url, CLIENTS, bench.seconds, wishes)
    refused.require(409)
    return refused


def _wish(api: BookingApi, player: int, slot: int) -> str:
    """Nobody has more seats than races that they can win: a refusal is for the slot, never for the limit."""
    return hold(api.tokens[(player + CLIENTS * slot) % len(api.tokens)], slot)
