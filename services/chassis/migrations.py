"""Alembic, for every service the same: `python -m services.<name> migrate`. A service's `migrations/env.py` is one line of this."""

from __future__ import annotations

import asyncio
import time
from functools import cache
from pathlib import Path

from alembic import command, context
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis import attempts, inbox, outbox
from services.chassis.database import CHASSIS
from services.chassis.dead_letters import tables as desk
from services.chassis.settings import Settings

SERVICES = Path(__file__).parents[1]
COMMON = (attempts.delivery_attempts, inbox.inbox, outbox.outbox, desk.dead_letters)
"""Tables of the chassis that every service has; to name them here is to know them."""
LOCK_TIMEOUT_MS = 4_000
"""A migration that cannot have its lock gives up, rather than queue everyone behind it."""
MIGRATION_LOCK = 0x0C0A_57A2
"""Two processes that migrate at once take turns."""
TURN_POLL_SECONDS = 0.2


def config(settings: Settings) -> Config:
    alembic = Config()
    alembic.set_main_option("script_location", str(SERVICES / settings.service / "migrations"))
    alembic.attributes["url"] = settings.sqlalchemy_url()
    return alembic


def upgrade(settings: Settings) -> None:
    command.upgrade(config(settings), "head")


@cache
def revisions(service: str) -> tuple[str, ...]:
    """All that this code knows, from its newest to the first."""
    alembic = Config()
    alembic.set_main_option("script_location", str(SERVICES / service / "migrations"))
    return tuple(script.revision for script in ScriptDirectory.from_config(alembic).walk_revisions())


def run_env(*tables: MetaData) -> None:
    """What alembic runs for each command."""
    asyncio.run(_connected(context.config.attributes["url"], [CHASSIS, *tables]))


async def _connected(url: str, tables: list[MetaData]) -> None:
    engine = create_async_engine(url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_migrate, tables)
    await engine.dispose()


def _migrate(connection: Connection, tables: list[MetaData]) -> None:
    connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
    connection.commit()
    _wait_for_turn(connection)
    context.configure(connection=connection, target_metadata=tables, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def _wait_for_turn(connection: Connection) -> None:
    """Asked for again and again: a session that waits inside `pg_advisory_lock` has a snapshot open, and CREATE INDEX CONCURRENTLY
    of the one before it would wait for that snapshot in turn.
    """
    turn = text("SELECT pg_try_advisory_lock(:key)")
    while not connection.execute(turn, {"key": MIGRATION_LOCK}).scalar_one():
        connection.commit()
        time.sleep(TURN_POLL_SECONDS)
    connection.commit()
