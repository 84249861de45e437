"""Many at once for the same court, and for the same seats: whoever is first gets it, everybody is answered, nobody waits in a circle."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import event

from deploy.local.postgres import Postgres
from services.booking.bookings import mutations
from services.booking.bookings.domain import ActiveBookingLimit, SlotAlreadyTaken
from services.booking.bookings.hold import STATEMENT, Hold
from services.booking.bookings.outlook import Outlook, Outlooks
from services.booking.venues import queries as catalogue_module
from services.booking.venues.domain import Court, Slot, Venue
from services.booking.venues.seed import VENUE_ID, court_id
from services.chassis import problems
from services.chassis.database import Database, StatelessConnection
from services.chassis.service import Chassis
from tests.integration.booking.in_process import Office, migrate
from tests.integration.booking.slots import BLOCK, tomorrow
from tests.stack import TestStack

CLIENTS = 64
ROUNDS = 60
HALF_HOUR = timedelta(minutes=30)
MORNING = tomorrow(3).astimezone(UTC) + timedelta(hours=2)

OVERLAPS = """
SELECT count(*) FROM court_occupancy a JOIN court_occupancy b
ON a.id < b.id AND a.court_id = b.court_id AND a.during && b.during
"""
STRAY = """
SELECT count(*) FROM court_occupancy o FULL JOIN (SELECT * FROM bookings WHERE status IN ('held', 'confirmed')) b ON b.id = o.booking_id
WHERE (o.booking_id IS NOT NULL OR o.id IS NULL) AND (b.id IS NULL OR o.id IS NULL OR o.during <> tstzrange(b.starts_at, b.ends_at))
"""
"""A claim without its live booking, or a live booking without its claim."""


@dataclass(frozen=True)
class Track:
    """A service in this process with a connection for each racer, and the log of its database server."""

    office: Office
    outlooks: Outlooks
    courts: list[UUID]
    """Fifty beside the club's own."""
    log: Path

    @property
    def database(self) -> Database:
        return self.office.chassis.database

    async def race(self, holds: Iterable[Hold]) -> Counter[str]:
        """How all of them were answered."""
        return Counter(await asyncio.gather(*(self.outcome(hold) for hold in holds)))

    async def outcome(self, hold: Hold) -> str:
        try:
            await hold.place(self.office.chassis, self.office.catalogue, self.outlooks)
        except problems.Problem as problem:
            return problem.code
        return "held"

    async def holds(self, players: list[UUID], slots: Iterable[Slot]) -> list[Hold]:
        return [await self.office.hold_of(player, slot) for player, slot in zip(players, slots, strict=False)]

    async def clear(self) -> None:
        """Everybody goes home."""
        await self.database.pool.execute("DELETE FROM court_occupancy")
        await self.database.pool.execute(
            "UPDATE bookings SET status = 'cancelled', hold_expires_at = NULL WHERE status = 'held'"
        )

    async def count(self, query: str) -> int:
        return int(await self.database.pool.fetchval(query))


@pytest.fixture(scope="module")
async def track(
    idle_stack: TestStack, postgres: Postgres, new_database: Callable[[str], Awaitable[str]]
) -> AsyncIterator[Track]:
    del postgres  # it must run
    url = await new_database("booking")
    await migrate(url)
    async with Office.open(url, pool_size=CLIENTS) as office:
        courts = await fifty_courts(office.chassis.database)
        yield Track(office, Outlooks(office.chassis), courts, idle_stack.processes.log("postgres"))


def slot(offset: timedelta = timedelta(0), minutes: int = 90, court: UUID | None = None) -> Slot:
    starts_at = MORNING + offset
    return Slot(court or court_id(1), starts_at, starts_at + timedelta(minutes=minutes), 2400)


EQUAL = [slot()]
OVERLAPPING = [slot(-HALF_HOUR), slot(), slot(HALF_HOUR)]
"""Each overlaps both others."""


@pytest.mark.parametrize("slots", [EQUAL, OVERLAPPING], ids=["equal", "overlapping"])
@pytest.mark.slow
async def test_sixty_four_race_for_one_court_and_one_gets_it(track: Track, slots: list[Slot]) -> None:
    players = await track.office.new_players(CLIENTS)
    written_before = track.log.stat().st_size
    for _ in range(ROUNDS):
        outcomes = await track.race(await track.holds(players, cycle(slots)))
        assert outcomes == {"held": 1, SlotAlreadyTaken.code: CLIENTS - 1}
        assert await track.count("SELECT count(*) FROM court_occupancy") == 1
        assert await track.count(STRAY) == 0
        await track.clear()
    logged = track.log.read_bytes()[written_before:].decode()
    assert "slot taken" in logged, "the server's log shows refusals, so it would show deadlocks"
    assert "deadlock" not in logged
    assert "40P01" not in logged


async def test_the_hold_is_one_statement_and_nothing_else(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    # The catalogue looks again beside the requests, every five seconds: not now.
    monkeypatch.setattr(catalogue_module, "FRESH_SECONDS", float("inf"))
    sent: list[str] = []

    async def listen(connection: Any) -> None:
        connection.add_query_logger(lambda query: sent.append(query.query))

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    holds = await track.holds(await track.office.new_players(2), [slot(), slot(timedelta(hours=3))])
    pool = asyncpg.create_pool(
        track.office.chassis.settings.database_url.get_secret_value(),
        min_size=0,
        max_size=1,
        init=listen,
        connection_class=StatelessConnection,
    )
    if running := track.office.catalogue._background:
        await running
    async with pool:
        counted = replace(track.office.chassis, database=replace(track.database, pool=pool))
        event.listen(track.database.engine.sync_engine, "before_cursor_execute", note)
        for hold in holds:
            await hold.place(counted, track.office.catalogue, Outlooks(counted))
    event.remove(track.database.engine.sync_engine, "before_cursor_execute", note)
    await track.clear()
    assert sent == [STATEMENT] * 2


async def test_who_is_refused_the_same_slot_looks_together(track: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Slot] = []
    look = Outlook.look

    async def noted(chassis: Chassis, venue: Venue, court: Court, wanted: Slot) -> Outlook:
        looks.append(wanted)
        return await look(chassis, venue, court, wanted)

    monkeypatch.setattr(Outlook, "look", noted)
    players = await track.office.new_players(1 + CLIENTS)
    assert await track.race(await track.holds(players[:1], EQUAL)) == {"held": 1}
    assert await track.race(await track.holds(players[1:], cycle(EQUAL))) == {SlotAlreadyTaken.code: CLIENTS}
    assert len(looks) < CLIENTS / 2
    await track.database.pool.execute("UPDATE bookings SET hold_expires_at = now() WHERE status = 'held'")
    outcomes = await track.race(await track.holds(players[1:], cycle(EQUAL)))
    assert outcomes == {"held": 1, SlotAlreadyTaken.code: CLIENTS - 1}, "a hold that is over stands in nobody's way"
    await track.clear()


async def test_forty_holds_that_run_out_end_in_as_many_statements_as_two(track: Track) -> None:
    """Their rows are locked meanwhile: on a busy machine two hundred, one after another, stood in everybody's way for twenty seconds."""
    assert await sweep(track, 40) == await sweep(track, 2)


async def sweep(track: Track, number: int) -> Counter[str]:
    """The kinds of statements, by their first word, with which so many end."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement.split(maxsplit=1)[0])

    wanted = [slot(court=court) for court in track.courts[:number]]
    assert await track.race(await track.holds(await track.office.new_players(number), wanted)) == {"held": number}
    await track.database.pool.execute("UPDATE bookings SET hold_expires_at = now() WHERE status = 'held'")
    async with track.office.chassis.unit_of_work() as work:
        work.now += timedelta(seconds=1)
        event.listen(track.database.engine.sync_engine, "before_cursor_execute", note)
        assert await mutations.expire_all(work, track.office.catalogue) == number
    event.remove(track.database.engine.sync_engine, "before_cursor_execute", note)
    assert await track.count("SELECT count(*) FROM court_occupancy") == 0
    return Counter(sent)


@pytest.mark.parametrize("checked", [True, False], ids=["through the service", "the statement alone"])
async def test_two_hundred_want_one_court_with_blocks_among_them(track: Track, checked: bool) -> None:
    """Intervals of 60 and 90 minutes that share one instant: one of them gets the court, whatever asks for it."""
    shapes = [slot(-back, minutes) for minutes in (60, 90) for back in (HALF_HOUR, HALF_HOUR / 2, HALF_HOUR / 3)]
    holds = await track.holds(await track.office.new_players(150), cycle(shapes))
    blocks = list(islice(cycle(shapes), 50))

    async def block(wanted: Slot) -> str:
        made = await track.database.pool.fetchval(BLOCK, wanted.court_id, wanted.starts_at, wanted.ends_at)
        return "held" if made else "refused"

    async def bare(hold: Hold) -> str:
        return await hold._try(track.database)

    attempts = [*map(track.outcome if checked else bare, holds), *map(block, blocks)]
    outcomes = Counter(await asyncio.gather(*attempts[::2], *attempts[1::2]))
    assert outcomes["held"] == 1
    assert sum(outcomes.values()) == 200
    assert await track.count("SELECT count(*) FROM court_occupancy") == 1
    assert await track.count(STRAY) == 0
    await track.clear()


async def test_a_crowd_fills_a_day_without_overlap(track: Track) -> None:
    """Now the intervals lie all over one day, so that many find a place side by side."""
    day = [slot(HALF_HOUR * step, minutes) for step in range(24) for minutes in (60, 90)]
    outcomes = await track.race(await track.holds(await track.office.new_players(200), cycle(day)))
    claims = await track.count("SELECT count(*) FROM court_occupancy")
    assert outcomes["held"] == claims >= len(day) // 6
    assert outcomes["held"] + outcomes[SlotAlreadyTaken.code] == 200
    assert (await track.count(OVERLAPS), await track.count(STRAY)) == (0, 0)
    await track.clear()


async def test_one_player_on_fifty_courts_gets_two_and_a_third_when_one_expires(track: Track) -> None:
    (player,) = await track.office.new_players(1)

    async def everywhere() -> Counter[str]:
        return await track.race(await track.holds([player] * 50, [slot(court=court) for court in track.courts]))

    assert await everywhere() == {"held": 2, ActiveBookingLimit.code: 48}
    expire = "UPDATE bookings SET hold_expires_at = $2 WHERE id = (SELECT id FROM bookings WHERE user_id = $1 AND status = 'held' LIMIT 1)"
    await track.database.pool.execute(expire, player, datetime.now(UTC) - timedelta(seconds=1))
    left = [court for court in track.courts if court not in await held_courts(track.database, player)]
    third = await track.race(await track.holds([player] * 48, [slot(court=court) for court in left]))
    assert third == {"held": 1, ActiveBookingLimit.code: 47}
    assert len(await held_courts(track.database, player)) == 2
    assert await track.count(STRAY) == 0
    await track.clear()


async def fifty_courts(database: Database) -> list[UUID]:
    courts = [uuid4() for _ in range(50)]
    columns, values = (
        "id, venue_id, name, surface, slot_minutes, active",
        "unnest($1::uuid[]), $2, 'Court', 'turf', 90, true",
    )
    await database.pool.execute(f"INSERT INTO courts ({columns}) SELECT {values}", courts, VENUE_ID)
    return courts


async def held_courts(database: Database, player: UUID) -> set[UUID]:
    rows = await database.pool.fetch("SELECT court_id FROM bookings WHERE user_id = $1 AND status = 'held'", player)
    return {row["court_id"] for row in rows}
