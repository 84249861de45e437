"""The server ends our connections. For a moment they look alive: whoever uses one then is told of an outage, and of no bug."""

from __future__ import annotations

import asyncio
import time

import asyncpg
from sqlalchemy import text

from services.chassis.database import NoDatabase
from services.chassis.retrying import is_database_away
from tests.integration.chassis.conftest import Bench

END_ALL = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
UNDER_WAY_SECONDS = 0.3
"""Until the goodbye lies before us, unread."""
MOMENTS = range(12)
"""Turns of the loop after which a connection is used again."""


async def said_goodbye(bench: Bench) -> None:
    """All connections of the database, while our loop stands still, as one does that has much to do."""
    other = await asyncpg.connect(bench.settings.database_url.get_secret_value())
    try:
        assert await other.fetchval(END_ALL) > 0
    finally:
        other.terminate()
    time.sleep(UNDER_WAY_SECONDS)  # noqa: ASYNC251 - the loop is to stand still


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_connection_of_the_pool_that_was_just_ended_is_an_outage(bench: Bench) -> None:
    async def fetch_after(moment: int) -> None:
        await turns(moment)
        await bench.database.fetch("SELECT 1")

    await asyncio.gather(*map(fetch_after, MOMENTS))
    await said_goodbye(bench)
    found = await asyncio.gather(*map(fetch_after, MOMENTS), return_exceptions=True)
    assert any(found), "nobody met a connection that was ended"
    assert [error for error in found if error and not isinstance(error, NoDatabase)] == []


async def test_a_transaction_whose_connection_was_just_ended_is_an_outage(bench: Bench) -> None:
    async def read_on_after(moment: int, goodbye: asyncio.Event, begun: asyncio.Semaphore) -> None:
        async with bench.database.sessions() as session:
            await session.execute(text("SELECT 1"))
            begun.release()
            await goodbye.wait()
            await turns(moment)
            await session.execute(text("SELECT 2"))

    goodbye, begun = asyncio.Event(), asyncio.Semaphore(0)
    reading = [asyncio.create_task(read_on_after(moment, goodbye, begun)) for moment in MOMENTS]
    for _ in MOMENTS:
        await begun.acquire()
    await said_goodbye(bench)
    goodbye.set()
    found = await asyncio.gather(*reading, return_exceptions=True)
    assert all(found), "each of them was cut off"
    assert [error for error in found if error and not is_database_away(error)] == []
