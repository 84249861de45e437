"""a. Holds over HTTP beside the same statement from pgbench: what everything around the statement costs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.bench import hold_statement, load
from tests.bench.bench import Bench
from tests.bench.booking_api import BookingApi, booking_api
from tests.bench.lines import Line, Target, at_most, ratio_at_least
from tests.bench.pgbench import pgbench
from tests.bench.rounds import Series, interleaved

TARGETS = {8: (ratio_at_least(0.7), None), 32: (ratio_at_least(0.45), at_most(25))}
"""By the number of clients: of the ratio, and of the 99th percentile in ms."""
HOLDS_A_SECOND = 2_500
"""More than one process answers."""
SEATS = 2


async def measure(bench: Bench) -> list[Line]:
    async with booking_api(bench, regulars=regulars(bench)) as api:
        return [line for clients in TARGETS for line in await _beside(bench, api, clients, *TARGETS[clients])]


def regulars(bench: Bench) -> int:
    """Enough to have seats for all holds of a round."""
    return int(HOLDS_A_SECOND * bench.seconds) // SEATS


async def _beside(bench: Bench, api: BookingApi, clients: int, ratio: Target, slowest: Target | None) -> list[Line]:
    p99: dict[str, list[float]] = {"http": [], "pgbench": []}
    script = await hold_statement.script(api.database_url, clients)

    async def over_http() -> float:
        await api.club.clear()
        requests = api.holds(int(HOLDS_A_SECOND * bench.seconds))
        held = await load.sustain(api.url, clients, bench.seconds, requests)
        held.require(201)
        p99["http"].append(held.percentile_ms(99))
        return held.per_second

    async def by_pgbench() -> float:
        await api.club.clear()
        done = await pgbench(bench.stack.postgres, api.database, "booking", script, clients, bench.seconds)
        p99["pgbench"].append(done.percentile_ms(99))
        return done.per_second

    sides: dict[str, Callable[[], Awaitable[float]]] = {"http": over_http, "pgbench": by_pgbench}
    found = await interleaved(bench.rounds, sides)
    told = f"holds over HTTP, one API process, {clients} clients"
    slow = {name: Series.of(values) for name, values in p99.items()}
    return [
        Line(told, "/s", found["http"], "pgbench, the same statement", found["pgbench"], ratio),
        Line(f"{told}: p99", "ms", slow["http"], "pgbench, p99", slow["pgbench"], slowest),
    ]
