"""Kafka may deliver everything again, from the first record on: nothing happens a second time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from services.chassis.lag import Admin
from tests.e2e.conftest import System, finished, running
from tests.e2e.groups import Offsets, administering, all_have_joined, caught_up, committed, groups_of
from tests.stack import TestStack

SERVICES = ("booking", "payments", "notifications")
PASSES_BY = {"crons", "reconciliations", "rate_limits", "provider_turns", "delivery_attempts", "alembic_version"}
"""Tables of what runs at present: when a job last ran, what a limit has left, which batch is under way."""
PATIENCE_SECONDS = 60


async def at_rest(system: System) -> bool:
    """Both providers have told all, and no service has anything left to say."""
    for provider in ("polar", "resend"):
        answer = await system.client.get(f"{system.stack.installation.url(provider)}/_admin/webhook-events")
        if any(event["state"] == "pending" for event in answer.json()["events"]):
            return False
    return not any([await waiting(system, name) for name in SERVICES])


async def waiting(system: System, service: str) -> int:
    async with connected(system, service) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM outbox"))


@asynccontextmanager
async def connected(system: System, service: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(system.stack.environment(service)[f"{service.upper()}_DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()


async def are_back(admin: Admin, were: Offsets) -> bool:
    return await committed(admin, list(were)) == were


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - it is other processes that bring it about
            await asyncio.sleep(0.1)


async def reset(bootstrap: str, offsets: Offsets) -> None:
    for group, places in offsets.items():
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False) as consumer:
            consumer.assign(list(places))
            await consumer.commit(dict.fromkeys(places, 0))


async def everything(system: System, topics: list[str]) -> dict[str, Any]:
    """Rows of all tables, ends of all topics, and what both providers did."""
    found: dict[str, Any] = {"charges": await system.charges(), "mails": await mails(system)}
    for service in SERVICES:
        async with connected(system, service) as connection:
            tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
            for (table,) in tables:
                if table not in PASSES_BY:
                    rows = await connection.fetch(f'SELECT t::text FROM "{table}" t ORDER BY 1')
                    found[f"{service}.{table}"] = [row[0] for row in rows]
    async with AIOKafkaConsumer(*topics, bootstrap_servers=system.stack.bootstrap) as consumer:
        found["ends"] = await consumer.end_offsets(list(consumer.assignment()))
    return found


async def mails(system: System) -> int:
    answer = await system.client.get(f"{system.stack.installation.url('resend')}/_admin/emails")
    return len(answer.json()["emails"])


@pytest.fixture
async def untouched() -> AsyncIterator[System]:
    """A system of its own: poison that another test left on a topic would rightly become one more dead letter."""
    stack = await TestStack.open()
    try:
        await asyncio.gather(stack.start_postgres(), stack.start_kafka())
        async with running(stack) as system:
            yield system
    finally:
        await stack.close()


@pytest.mark.slow
async def test_offsets_that_are_set_back_to_zero_have_no_new_effect(untouched: System) -> None:
    system = untouched
    await finished(await system.demo("--count", "5", "--concurrency", "5"))
    bootstrap, prefix = system.stack.bootstrap, system.stack.installation.topic_prefix
    async with administering(bootstrap) as admin:
        topics = [name for name in await admin.list_topics() if name.startswith(prefix)]
        await until(lambda: at_rest(system))
        await until(lambda: all_have_joined(admin, prefix, topics))
        groups = await groups_of(admin, prefix)
        await until(lambda: caught_up(admin, groups, bootstrap))
        await asyncio.gather(*(system.stack.stop(service) for service in SERVICES))
        before, were = await everything(system, topics), await committed(admin, groups)
        assert sum(map(len, were.values())) >= len(SERVICES)
        await reset(bootstrap, were)
        assert await committed(admin, groups) == {}
        await asyncio.gather(*(system.start(service) for service in SERVICES))
        await until(lambda: are_back(admin, were))
    assert await everything(system, topics) == before
