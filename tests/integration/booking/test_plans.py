"""At a million bookings, each question that the service asks is answered by an index."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import event

from deploy.filling import fill
from deploy.invented_clubs import Club
from services.booking.app import crons
from services.booking.availability.queries import TAKEN
from services.booking.bookings import mutations
from services.booking.bookings.hold import STATEMENT
from services.booking.venues.domain import Slot
from tests.integration.booking.in_process import Office, migrate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

BOOKINGS = 1_000_000
CLUBS = [Club(7, number) for number in range(40)]
LARGE = {"bookings", "users", "court_occupancy"}
QUESTION = re.compile(rf"SELECT .*\bFROM ({'|'.join(sorted(LARGE))})\b", re.DOTALL)


@dataclass(frozen=True)
class Archive:
    office: Office
    connection: asyncpg.Connection[Any]

    async def plan(self, query: str, *arguments: object) -> dict[str, Any]:
        explained = json.loads(await self.connection.fetchval(f"EXPLAIN (FORMAT JSON) {query}", *arguments))
        plan: dict[str, Any] = explained[0]["Plan"]
        return plan

    async def sent_by(self, work: Callable[[], Awaitable[object]]) -> list[tuple[str, tuple[object, ...]]]:
        """The questions that some code asks of the large tables, with their arguments; not the changes of what they found."""
        sent: list[tuple[str, tuple[object, ...]]] = []

        def note(_connection: Any, _cursor: Any, statement: str, arguments: tuple[object, ...], *_: Any) -> None:
            sent.append((statement, arguments))

        engine = self.office.chassis.database.engine.sync_engine
        event.listen(engine, "before_cursor_execute", note)
        await work()
        event.remove(engine, "before_cursor_execute", note)
        return [one for one in sent if QUESTION.match(one[0])]


@pytest.fixture(scope="module")
async def archive(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[Archive]:
    url = await new_database("booking")
    await migrate(url)
    assert await fill(url, CLUBS, BOOKINGS) == BOOKINGS
    connection = await asyncpg.connect(url)
    async with Office.open(url) as office:
        yield Archive(office, connection)
    await connection.close()


@pytest.mark.parametrize(
    ("index", "query"),
    [
        ("bookings_by_user_id", "SELECT * FROM bookings WHERE user_id = $1"),
        ("bookings_by_court_id", "SELECT * FROM bookings WHERE court_id = $1"),
        ("bookings_pk", "SELECT * FROM bookings WHERE id = $1"),
        ("users_by_email", "SELECT * FROM users WHERE lower(email) = lower($1)"),
    ],
)
async def test_a_look_up_uses_its_index(archive: Archive, index: str, query: str) -> None:
    wanted = "someone@example.com" if "email" in query else await _of_a_booking(archive, query.split()[-3])
    assert index in read(await archive.plan(query, wanted))


async def test_a_day_is_found_by_date(archive: Archive) -> None:
    day = datetime.now(UTC) - timedelta(days=30)
    query = "SELECT * FROM bookings WHERE starts_at >= $1 AND starts_at < $2 ORDER BY starts_at"
    assert read(await archive.plan(query, day, day + timedelta(days=1))) == {"bookings_by_date"}


async def test_what_is_due_is_found_without_looking_at_what_is_not(archive: Archive) -> None:
    expected = {"expire holds": "bookings_by_hold_end", "complete bookings": "bookings_by_end"}
    for cron in crons(archive.office.catalogue):
        sent = await archive.sent_by(partial(cron.fire, archive.office.chassis.unit_of_work))
        for statement, arguments in sent:
            assert expected[cron.name] in read(await archive.plan(statement, *arguments))
        assert bool(sent) == (cron.name in expected)


async def test_what_is_over_and_in_the_way_is_found_by_court_or_player(archive: Archive) -> None:
    office, (slot, *_) = archive.office, await _slots_of_tomorrow(archive)
    player = UUID(str(await _of_a_booking(archive, "user_id")))
    indexes = {"bookings_by_hold_end", "bookings_by_court_id", "bookings_by_user_id", "bookings_one_seat_each"}
    for end in (
        partial(mutations.end_overdue, office.chassis, office.catalogue, in_the_way_of=slot),
        partial(mutations.end_overdue, office.chassis, office.catalogue, bookings_of=player),
    ):
        ((statement, arguments),) = await archive.sent_by(end)
        assert read(await archive.plan(statement, *arguments)) & indexes


async def test_a_day_of_a_venue_is_found_by_the_constraint_that_guards_it(archive: Archive) -> None:
    slots = await _slots_of_tomorrow(archive)
    courts = sorted({slot.court_id for slot in slots})
    first, last = min(slot.starts_at for slot in slots), max(slot.ends_at for slot in slots)
    assert "court_occupancy_no_overlap" in read(await archive.plan(TAKEN, courts, first, last, datetime.now(UTC)))


async def test_a_hold_looks_at_nothing_but_its_player(archive: Archive) -> None:
    office, (slot, *_) = archive.office, await _slots_of_tomorrow(archive)
    hold = await office.hold_of(uuid4(), slot)
    assert read(await archive.plan(STATEMENT, *hold._arguments())) <= {
        "bookings_one_seat_each",
        "bookings_by_user_id",
        "users_pk",
    }


def read(plan: dict[str, Any]) -> set[str]:
    """The indexes that a plan reads the large tables by. None of them is read from end to end."""
    nodes = list(_nodes(plan))
    whole = [node["Relation Name"] for node in nodes if node["Node Type"].endswith("Seq Scan")]
    assert not LARGE & set(whole), json.dumps(plan, indent=1)
    return {node["Index Name"] for node in nodes if "Index Name" in node}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def _of_a_booking(archive: Archive, column: str) -> object:
    return await archive.connection.fetchval(f"SELECT {column} FROM bookings LIMIT 1")


async def _slots_of_tomorrow(archive: Archive) -> list[Slot]:
    venue = await archive.office.catalogue.venue(CLUBS[0].id)
    day = venue.local(datetime.now(UTC)).date() + timedelta(days=1)
    return [slot for court in venue.courts for slot in venue.slots(court, day)]
