"""The schema can be made, taken back and made again, and is what the tables in the code say."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from alembic import command

from services.chassis.migrations import config
from services.payments.settings import PaymentsSettings


async def test_migrations_go_up_and_down_and_match_the_tables(empty_settings: PaymentsSettings) -> None:
    alembic = config(empty_settings)
    await asyncio.to_thread(command.upgrade, alembic, "head")
    await asyncio.to_thread(command.check, alembic)
    await asyncio.to_thread(command.downgrade, alembic, "base")
    assert await tables(empty_settings) == {"alembic_version"}
    await asyncio.to_thread(command.upgrade, alembic, "head")
    await asyncio.to_thread(command.check, alembic)


@pytest.mark.parametrize("name", ["orders_unique_polar_order_id", "polar_webhooks_unique_webhook_id"])
async def test_what_must_hold_under_a_race_has_a_name(payments_settings: PaymentsSettings, name: str) -> None:
    found = await asked(payments_settings, "SELECT conname FROM pg_constraint WHERE conname = $1", name)
    assert found == {name}


async def test_the_outbox_is_vacuumed_by_count(payments_settings: PaymentsSettings) -> None:
    options = await asked(payments_settings, "SELECT unnest(reloptions) FROM pg_class WHERE relname = $1", "outbox")
    assert "autovacuum_vacuum_scale_factor=0" in options


async def tables(settings: PaymentsSettings) -> set[str]:
    return await asked(settings, "SELECT tablename FROM pg_tables WHERE schemaname = $1", "public")


async def asked(settings: PaymentsSettings, query: str, argument: str) -> set[str]:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return {row[0] for row in await connection.fetch(query, argument)}
    finally:
        await connection.close()
