"""In a database of their own, since they take all tables away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import inspect

from services.chassis import migrations
from services.chassis.database import Database
from services.notifications.settings import NotificationsSettings

OF_THE_DESK = {"dead_letters", "dead_letter_redrives", "dead_letter_actions", "erased_keys"}
OF_THE_CHASSIS = {"alembic_version", "outbox", "inbox", "delivery_attempts", "idempotency_keys", "crons", "rate_limits"}
TABLES = (
    OF_THE_CHASSIS
    | OF_THE_DESK
    | {*("bookings", "emails", "recipients", "provider_turns", "resend_webhooks", "suppressions")}
)


@pytest.fixture
async def empty(
    new_database: Callable[[str], Awaitable[str]], settings: NotificationsSettings
) -> NotificationsSettings:
    return settings.model_copy(update={"database_url": SecretStr(await new_database("notifications"))})


async def _tables(settings: NotificationsSettings) -> set[str]:
    database = await Database.open(settings)
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    await database.close()
    return set(names)


async def test_up_down_and_up_again(empty: NotificationsSettings) -> None:
    await asyncio.to_thread(migrations.upgrade, empty)
    assert await _tables(empty) == TABLES
    await asyncio.to_thread(command.downgrade, migrations.config(empty), "base")
    assert await _tables(empty) == {"alembic_version"}
    await asyncio.to_thread(migrations.upgrade, empty)
    assert await _tables(empty) == TABLES


async def test_the_migrations_make_what_the_tables_say(settings: NotificationsSettings) -> None:
    await asyncio.to_thread(command.check, migrations.config(settings))
