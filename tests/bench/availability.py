"""f. A day of fifty courts, half of it taken: beside the bare rows that it is made of, and over HTTP beside an empty route."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from deploy.local.environment import HOST
from deploy.local.processes import Part
from services.booking.availability import queries, representation
from services.booking.availability.domain import Question
from services.booking.settings import BookingSettings
from services.booking.venues.domain import CELL_SECONDS
from services.booking.venues.queries import Catalogue
from services.chassis.database import Database
from tests.bench import club, load
from tests.bench.bench import Bench
from tests.bench.booking_api import BookingApi, booking_api
from tests.bench.lines import Line, ratio_at_least, ratio_at_most
from tests.bench.rounds import Series, interleaved
from tests.ports import free_port

CLIENTS = 32
TAKEN = """
WITH booked AS (
    INSERT INTO bookings (id, court_id, venue_id, user_id, starts_at, ends_at, status, seat, price_minor, currency,
                          cancellation_window_hours, version, created_at)
    SELECT gen_random_uuid(), court, $1, player, starts_at, starts_at + interval '1 hour', 'confirmed', 1, 2400, 'EUR', 24, 2, now()
    FROM unnest($2::uuid[], $3::uuid[], $4::timestamptz[]) AS wish (court, player, starts_at)
    RETURNING id, court_id, starts_at, ends_at
)
INSERT INTO court_occupancy (court_id, during, booking_id) SELECT court_id, tstzrange(starts_at, ends_at), id FROM booked
"""

TAKEN_COURTS = club.COURTS // 2
"""Every other slot, where neighbours are those of neighbouring courts: every second court, all day."""

ROWS = f"""
SELECT o.court_id, floor(extract(epoch FROM lower(o.during)) / {CELL_SECONDS})::int,
       ceil(extract(epoch FROM upper(o.during)) / {CELL_SECONDS})::int, o.booking_id IS NULL
FROM court_occupancy o LEFT JOIN bookings b ON b.id = o.booking_id
WHERE o.court_id = ANY($1) AND o.during && tstzrange($2, $3) AND NOT coalesce(b.status = 'held' AND b.hold_expires_at <= $4, false)
ORDER BY o.court_id, lower(o.during)
"""
"""A row for each booking and each block, as the service itself fetched them when the target was set; its own statement now has one for
each court on which something stands."""


async def measure(bench: Bench) -> list[Line]:
    async with booking_api(bench) as api, empty_route(bench) as empty:
        await fill_a_day(api.club)
        return [*await _beside_the_rows(bench, api), *await _beside_an_empty_route(bench, api, empty)]


async def fill_a_day(to_fill: club.Club) -> None:
    """Every other slot of the first day that holds ask for."""
    wanted = range(0, club.COURTS * club.HOURS, 2)
    places = [club.slot(number) for number in wanted]
    courts, starts = [court for court, _ in places], [starts_at for _, starts_at in places]
    await to_fill.connection.execute(TAKEN, club.VENUE, courts, [club.player_id(n) for n in wanted], starts)
    await to_fill.connection.execute("VACUUM (ANALYZE) bookings, court_occupancy", timeout=600)


async def mean_ms(database_url: str, seconds: float) -> float:
    """Of a day whose answer is made anew each time."""
    async with _look(database_url) as look:
        return await _mean_ms(look.made_anew, seconds)()


async def _beside_the_rows(bench: Bench, api: BookingApi) -> list[Line]:
    """In this process, one after the other: nothing of HTTP."""
    async with _look(api.database_url) as look:
        works = {"rows": look.rows, "statement": look.statement, "made": look.made_anew, "kept": look.kept}
        sides = {name: _mean_ms(work, bench.seconds / 4) for name, work in works.items()}
        found = await interleaved(bench.rounds, sides)
    rows, statement = ("the rows alone", found["rows"]), ("its own statement alone", found["statement"])
    made, kept = "a day of 50 courts, the answer made anew", "a day of 50 courts, nothing changed since"
    return [
        Line(made, "ms", found["made"], *rows, ratio_at_most(1.5)),
        Line(made, "ms", found["made"], *statement),
        Line(kept, "ms", found["kept"], *rows, ratio_at_most(1.5)),
        Line(kept, "ms", found["kept"], *statement),
    ]


@asynccontextmanager
async def _look(database_url: str) -> AsyncIterator[Look]:
    database = await Database.open(BookingSettings(database_url=SecretStr(database_url)))
    catalogue = Catalogue(database)
    try:
        venue = await catalogue.venue(club.VENUE)
        yield Look(database, Question(venue, club.slot(0)[1].date()))
    finally:
        await catalogue.close()
        await database.close()


@dataclass(frozen=True)
class Look:
    database: Database
    question: Question

    async def rows(self) -> None:
        assert await self._fetched(ROWS) == TAKEN_COURTS * club.HOURS

    async def statement(self) -> None:
        assert await self._fetched(queries.OCCUPIED) == TAKEN_COURTS

    async def _fetched(self, statement: str) -> int:
        """How many rows."""
        now = datetime.now(UTC)
        window = self.question.window(now)
        from_, until = (datetime.fromtimestamp(cell * CELL_SECONDS, UTC) for cell in (window.start, window.stop))
        courts = [court.id for court in self.question.courts]
        return len(await self.database.pool.fetch(statement, courts, from_, until, now))

    async def made_anew(self) -> None:
        representation.body.cache_clear()
        await self.kept()

    async def kept(self) -> None:
        representation.body(await queries.look(self.database, self.question, datetime.now(UTC)))


def _mean_ms(work: Callable[[], Awaitable[None]], seconds: float) -> Callable[[], Awaitable[float]]:
    async def measure() -> float:
        await work()
        began, times = time.perf_counter(), 0
        while (took := time.perf_counter() - began) < seconds:
            await work()
            times += 1
        return took * 1000 / times

    return measure


async def _beside_an_empty_route(bench: Bench, api: BookingApi, empty: str) -> list[Line]:
    day = club.slot(0)[1].date()
    path = f"/v1/availability?venue_id={club.VENUE}&from={day}"
    async with httpx.AsyncClient() as client:
        etag = (await client.get(api.url + path)).raise_for_status().headers["etag"]
    whole, known = load.request("GET", path, {}), load.request("GET", path, {"If-None-Match": etag})
    p99: list[float] = []

    async def asked(url: str, request: str, status: int) -> load.Load:
        answered = await load.sustain(url, CLIENTS, bench.seconds, [request], again=True)
        answered.require(status)
        return answered

    async def unchanged() -> float:
        answered = await asked(api.url, known, 304)
        p99.append(answered.percentile_ms(99))
        return answered.per_second

    async def in_full() -> float:
        return (await asked(api.url, whole, 200)).per_second

    async def nothing() -> float:
        return (await asked(empty, load.request("GET", "/empty", {}), 200)).per_second

    found = await interleaved(bench.rounds, {"empty": nothing, "unchanged": unchanged, "in full": in_full})
    peer = "an empty FastAPI route", found["empty"]
    told = f"availability over HTTP, {CLIENTS} clients"
    return [
        Line(f"{told}, with ETag", "/s", found["unchanged"], *peer, ratio_at_least(0.6)),
        Line(f"{told}, with ETag: p99", "ms", Series.of(p99)),
        Line(f"{told}, in full", "/s", found["in full"], *peer),
    ]


@asynccontextmanager
async def empty_route(bench: Bench) -> AsyncIterator[str]:
    port, processes = free_port(), bench.stack.processes
    command = (sys.executable, "-m", "tests.bench.empty_app", str(port))
    part = Part("empty-app", command, {}, f"http://{HOST}:{port}/healthz")
    processes.start(part)
    try:
        await processes.until_ready(part)
        yield f"http://{HOST}:{port}"
    finally:
        await processes.stop(part.name)
