"""`courtside seed`, as it is typed, on a database of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.local.postgres import Postgres
from tests.integration.booking.in_process import migrate

pytestmark = pytest.mark.slow

VENUES, BOOKINGS = 3, 200
COUNTS = """
SELECT (SELECT count(*) FROM venues) AS venues, (SELECT count(*) FROM bookings) AS bookings,
       (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM court_occupancy) AS claims, (SELECT count(*) FROM outbox) AS events
"""
LIVE_WITHOUT_CLAIM = """
SELECT count(*) FROM bookings b FULL JOIN court_occupancy o ON o.booking_id = b.id AND o.court_id = b.court_id
       AND o.during = tstzrange(b.starts_at, b.ends_at)
WHERE (b.status IN ('held', 'confirmed')) IS DISTINCT FROM (o.id IS NOT NULL)
"""
OVERLAPS = """
SELECT count(*) FROM bookings a JOIN bookings b ON a.id < b.id AND a.court_id = b.court_id
WHERE tstzrange(a.starts_at, a.ends_at) && tstzrange(b.starts_at, b.ends_at)
"""
CROWDED = "SELECT count(*) FROM (SELECT 1 FROM bookings WHERE status = 'confirmed' GROUP BY user_id HAVING count(*) > 2) AS many"
AGAIN = "INSERT INTO court_occupancy (court_id, during, booking_id) SELECT court_id, during, $1 FROM court_occupancy LIMIT 1"
SECOND_IN_A_SEAT = "UPDATE bookings SET seat = 1, user_id = $1 WHERE status = 'confirmed'"


async def seed(*arguments: str) -> Result:
    """Beside the test's loop: the verb has one of its own."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["seed", *arguments])


@dataclass(frozen=True)
class Filled:
    url: str
    first_run: Result
    connection: asyncpg.Connection[Any]

    async def counts(self) -> dict[str, int]:
        row = await self.connection.fetchrow(COUNTS)
        assert row is not None
        return dict(row)

    async def run(self, venues: int, bookings: int) -> Result:
        return await seed("--venues", str(venues), "--bookings", str(bookings), "--database-url", self.url)


@pytest.fixture(scope="module")
async def filled(postgres: Postgres, new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Filled]:
    del postgres  # it must run
    url = await new_database("booking")
    await migrate(url)
    first_run = await seed("--venues", str(VENUES), "--bookings", str(BOOKINGS), "--database-url", url)
    connection = await asyncpg.connect(url)
    yield Filled(url, first_run, connection)
    await connection.close()


async def test_so_many_clubs_and_bookings_are_there_and_nobody_is_told(filled: Filled) -> None:
    assert filled.first_run.exit_code == 0, filled.first_run.output
    assert filled.first_run.stderr == f"Seeded {BOOKINGS} of {BOOKINGS} bookings in {VENUES} venues.\n"
    counts = await filled.counts()
    assert (counts["venues"], counts["bookings"], counts["events"]) == (VENUES, BOOKINGS, 0)
    assert counts["claims"] > 0
    statuses = await filled.connection.fetch("SELECT DISTINCT status FROM bookings")
    assert {row["status"] for row in statuses} == {"confirmed", "completed", "cancelled", "expired"}


async def test_what_was_invented_keeps_the_rules(filled: Filled) -> None:
    for broken in (LIVE_WITHOUT_CLAIM, OVERLAPS, CROWDED):
        assert await filled.connection.fetchval(broken) == 0


async def test_the_constraints_stand_over_what_was_invented(filled: Filled) -> None:
    played = await filled.connection.fetchrow("SELECT id, user_id FROM bookings WHERE status = 'completed'")
    assert played is not None
    with pytest.raises(asyncpg.ExclusionViolationError, match="court_occupancy_no_overlap"):
        await filled.connection.execute(AGAIN, played["id"])
    with pytest.raises(asyncpg.UniqueViolationError, match="bookings_one_seat_each"):
        await filled.connection.execute(SECOND_IN_A_SEAT, played["user_id"])


async def test_a_second_run_leaves_what_is_there_alone_and_adds_clubs(filled: Filled) -> None:
    before = await filled.counts()
    again = await filled.run(VENUES, BOOKINGS)
    assert again.exit_code == 0, again.output
    assert again.stderr == (
        f"Seeded 0 of {BOOKINGS} bookings in {VENUES} venues. Venues that were there already are left alone.\n"
    )
    assert await filled.counts() == before
    more = await filled.run(VENUES + 1, 4 * (VENUES + 1))
    assert more.exit_code == 0, more.output
    counts = await filled.counts()
    assert (counts["venues"], counts["bookings"]) == (VENUES + 1, BOOKINGS + 4)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--venues", "0"), "--venues must be between 1 and 1000, not 0"),
        (("--venues", "1001"), "--venues must be between 1 and 1000, not 1001"),
        (("--venues", "2", "--bookings", "-1"), "--bookings must be between 0 and 200000 for 2 venues, not -1"),
        (("--venues", "1", "--bookings", "100001"), "--bookings must be between 0 and 100000 for 1 venues, not 100001"),
        (
            ("--database-url", "mysql://club"),
            "--database-url must look like postgresql://role:password@host:port/database",
        ),
    ],
)
async def test_bad_figures_are_refused_in_one_line(arguments: tuple[str, ...], complaint: str) -> None:
    refused = await seed(*arguments)
    assert (refused.exit_code, refused.stderr) == (2, f"courtside: {complaint}\n")


async def test_a_database_without_tables_is_refused_in_one_line(
    filled: Filled, new_database: Callable[[str], Awaitable[str]]
) -> None:
    refused = await seed("--venues", "1", "--bookings", "1", "--database-url", await new_database("booking"))
    assert refused.exit_code == 2
    assert refused.stderr.startswith("courtside: the database is not migrated")
    assert refused.stderr.count("\n") == 1
