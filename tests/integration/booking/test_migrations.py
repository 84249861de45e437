"""The schema can be made, taken back and made again, empty and full; it is what the tables in the code say; and it changes under load."""

from __future__ import annotations

import asyncio
import re
import runpy
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from alembic import command
from sqlalchemy import Engine, MetaData, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from deploy.filling import fill
from deploy.invented_clubs import Club
from services.chassis import migrations
from services.chassis.database import CHASSIS
from tests.integration.booking.in_process import migrate, settings_for
from tests.stack import TestStack

pytestmark = pytest.mark.slow

NewDatabase = Callable[[str], Awaitable[str]]

DEFINITIONS = {
    "court_occupancy_no_overlap": "EXCLUDE USING gist (court_id WITH =, during WITH &&)",
    "court_occupancy_unique_booking_id": "UNIQUE (booking_id)",
    "bookings_ends_after_start": "CHECK ((starts_at < ends_at))",
    "bookings_price_not_negative": "CHECK ((price_minor >= 0))",
    "bookings_hold_has_an_end": (
        "CHECK ((((status = 'held'::text) = (hold_expires_at IS NOT NULL)) OR (status = 'expired'::text)))"
    ),
    "bookings_one_seat_each": (
        "CREATE UNIQUE INDEX bookings_one_seat_each ON public.bookings USING btree (user_id, seat)"
        " WHERE (status = ANY (ARRAY['held'::text, 'confirmed'::text]))"
    ),
    "users_by_email": (
        "CREATE UNIQUE INDEX users_by_email ON public.users USING btree (lower(email)) WHERE (email IS NOT NULL)"
    ),
}
"""What the rules of the club rest on: a change here is a change of a promise."""

CONSTRAINTS = """
SELECT conname AS name, pg_get_constraintdef(oid) AS definition FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
AND conrelid IS DISTINCT FROM to_regclass('alembic_version')
UNION ALL
SELECT indexname, indexdef FROM pg_indexes
WHERE schemaname = 'public' AND tablename <> 'alembic_version' AND indexname NOT IN (SELECT conname FROM pg_constraint)
"""


@pytest.mark.parametrize("bookings", [0, 3000])
async def test_migrations_go_up_and_down_and_up_again(new_database: NewDatabase, bookings: int) -> None:
    url = await new_database("booking")
    await migrate(url)
    await fill(url, [Club(1, number) for number in range(2)], bookings)
    alembic = migrations.config(settings_for(url))
    await asyncio.to_thread(command.downgrade, alembic, "0001")
    assert await asked(url, "SELECT count(*) FROM bookings") == bookings
    await asyncio.to_thread(command.upgrade, alembic, "head")
    await asyncio.to_thread(command.check, alembic)
    assert await asked(url, "SELECT count(*) FROM bookings") == bookings
    await asyncio.to_thread(command.downgrade, alembic, "base")
    assert (
        await asked(url, "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'")
        == "alembic_version"
    )
    await asyncio.to_thread(command.upgrade, alembic, "head")
    await asyncio.to_thread(command.check, alembic)


async def test_migrations_make_every_constraint_and_index_that_the_tables_have(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alembic's own check does not compare exclusion and check constraints, nor the conditions of indexes."""
    migrated, made = await new_database("booking"), await new_database("booking")
    await migrate(migrated)
    await make_tables(made, monkeypatch)
    assert await definitions(migrated) == await definitions(made)


async def test_what_must_hold_under_a_race_is_defined_so(new_database: NewDatabase) -> None:
    url = await new_database("booking")
    await migrate(url)
    found = await definitions(url)
    assert {name: found.get(name) for name in DEFINITIONS} == DEFINITIONS


@pytest.mark.slow
async def test_two_processes_that_migrate_at_once_take_turns(idle_stack: TestStack, new_database: NewDatabase) -> None:
    url = await new_database("booking")
    told = idle_stack.environment("booking", BOOKING_DATABASE_URL=url)
    await asyncio.gather(*(idle_stack.run(f"migrate-{n}", "services.booking", "migrate", **told) for n in range(3)))
    await asyncio.to_thread(command.check, migrations.config(settings_for(url)))


async def test_a_migration_gives_up_its_lock_rather_than_queue_everyone_behind_it(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await new_database("booking")
    alembic = migrations.config(settings_for(url))
    await asyncio.to_thread(command.upgrade, alembic, "0001")
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT_MS", 200)
    reader = await asyncpg.connect(url)
    async with reader.transaction():
        await reader.execute("LOCK TABLE bookings IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DBAPIError, match="lock timeout"):
            await asyncio.to_thread(command.upgrade, alembic, "0002")
    await reader.close()
    monkeypatch.undo()
    await asyncio.to_thread(command.upgrade, alembic, "head")
    await asyncio.to_thread(command.check, alembic)


async def test_a_migration_that_was_broken_off_can_run_again(new_database: NewDatabase) -> None:
    url = await new_database("booking")
    alembic = migrations.config(settings_for(url))
    await asyncio.to_thread(command.upgrade, alembic, "0001")
    await asked(
        url, "CREATE INDEX bookings_by_end ON bookings (price_minor)"
    )  # as a broken off build would be in the way
    await asyncio.to_thread(command.upgrade, alembic, "head")
    await asyncio.to_thread(command.check, alembic)


async def test_indexes_of_tables_in_use_are_built_beside_the_traffic(new_database: NewDatabase) -> None:
    """Also in migrations to come: this looks at what they send."""
    url = await new_database("booking")
    with statements() as sent:
        await migrate(url)
    by_revision = re.split(r"(?:INSERT INTO|UPDATE) alembic_version", "\n".join(sent))
    built = [
        (revision, concurrently, table)
        for revision in by_revision
        for concurrently, table in re.findall(r"CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?\S+ ON (\w+)", revision)
    ]
    assert sum(bool(concurrently) for _, concurrently, _ in built) >= 3
    assert [table for revision, concurrently, table in built if not concurrently and not makes(table, revision)] == []


async def test_the_club_goes_on_booking_while_it_is_migrated(new_database: NewDatabase) -> None:
    url = await new_database("booking")
    alembic = migrations.config(settings_for(url))
    await asyncio.to_thread(command.upgrade, alembic, "0001")
    writer = await asyncpg.connect(url, server_settings={"lock_timeout": "2000"})
    migrating = asyncio.create_task(asyncio.to_thread(command.upgrade, alembic, "head"))
    written = 0
    while not migrating.done():
        await writer.execute("INSERT INTO idempotency_keys VALUES ($1, 'key', '', 200, '{}', '', now())", uuid4())
        written += 1
    await migrating
    await writer.close()
    assert await asked(url, "SELECT count(*) FROM idempotency_keys") == written > 0
    assert await asked(url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == 0


def makes(table: str, statements: str) -> bool:
    return bool(re.search(rf"CREATE TABLE {table}\b", statements))


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any engine of this process sends meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def make_tables(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All tables that the service's `env.py` compares with, made by SQLAlchemy in place of the migrations."""
    told: list[MetaData] = [CHASSIS]
    monkeypatch.setattr(migrations, "run_env", lambda *tables: told.extend(tables))
    runpy.run_path(str(migrations.SERVICES / "booking" / "migrations" / "env.py"))
    engine = create_async_engine(settings_for(url).sqlalchemy_url())
    async with engine.begin() as connection:
        await connection.exec_driver_sql("CREATE EXTENSION btree_gist")
        for metadata in told:
            await connection.run_sync(metadata.create_all)
    await engine.dispose()


async def definitions(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        found = await connection.fetch(CONSTRAINTS)
    finally:
        await connection.close()
    return {row["name"]: row["definition"] for row in found}


async def asked(url: str, query: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()
