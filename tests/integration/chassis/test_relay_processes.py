"""Relays as processes of their own that are killed, stopped and held up by the broker."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope
from courtside_contracts.topics import COURT_EVENTS
from services.chassis.outbox import Outgoing
from services.chassis.relay import CONNECTION, LOCK, STANDBY_SECONDS
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Noted, until
from tests.programs import REPOSITORY
from tests.stack import TestStack

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

LONGER_THAN_ANY_TIME_OUT_SECONDS = 6.0

SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'payments-relay' AND datname = current_database()"
)
HOLDER = f"""
SELECT client_port, extract(epoch FROM clock_timestamp() - xact_start)::float AS held_seconds
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND objid = {LOCK} AND granted AND datname = current_database()
"""


class RelayProcess(subprocess.Popen[bytes]):
    def __init__(self, bench: Bench) -> None:
        settings = bench.settings
        environment = {
            "TEST_WORKER_DATABASE_URL": settings.database_url.get_secret_value(),
            "TEST_WORKER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TEST_WORKER_TOPIC_PREFIX": settings.topic_prefix,
        }
        command = [sys.executable, "-m", "tests.integration.chassis.relaying"]
        super().__init__(command, cwd=REPOSITORY, env=environment)


@asynccontextmanager
async def relays(bench: Bench, number: int) -> AsyncIterator[list[RelayProcess]]:
    """So many processes, each with its producer and its session open."""
    started = [RelayProcess(bench) for _ in range(number)]
    try:
        async with watching(bench) as connection:
            await until(f"{number} relays", lambda: connection.fetchval(SESSIONS), lambda found: found == number)
        yield started
    finally:
        for process in started:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait(GIVE_UP_SECONDS)


@asynccontextmanager
async def watching(bench: Bench) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(bench.settings.database_url.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


def silent_broker(stack: TestStack) -> AbstractContextManager[None]:
    """It keeps its connections and answers nothing until the block ends."""
    return stack.suspended("kafka")


async def holder(connection: asyncpg.Connection[Any], seconds: float = 0.0) -> int:
    """The port from which the active relay talks to the server, once it has held the lock for so long."""

    async def look() -> asyncpg.Record | None:
        return await connection.fetchrow(HOLDER)

    found = await until("an active relay", look, lambda row: row is not None and (row["held_seconds"] or 0) >= seconds)
    return int(found["client_port"])


async def tell(bench: Bench, *numbers: int) -> None:
    async with bench.unit_of_work() as work:
        for number in numbers:
            work.publish(Noted(name="a", number=number))


async def left(connection: asyncpg.Connection[Any]) -> int:
    return int(await connection.fetchval("SELECT count(*) FROM outbox"))


def test_a_standby_needs_no_more_than_three_seconds() -> None:
    """By what is set: what a busy machine adds is not measured here."""
    cut_off_seconds = int(CONNECTION["idle_in_transaction_session_timeout"]) / 1000
    assert cut_off_seconds + STANDBY_SECONDS < 3


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_standby_takes_over_from_a_relay_that_dies_or_stands_still_in_its_transaction(
    bench: Bench, stack: TestStack, blow: signal.Signals
) -> None:
    async with relays(bench, 2) as (active, standby), watching(bench) as connection:
        standby.send_signal(signal.SIGSTOP)
        with silent_broker(stack):
            await tell(bench, 1, 2)
            port = await holder(connection, seconds=1.0)
            standby.send_signal(signal.SIGCONT)
            active.send_signal(blow)
            struck = time.monotonic()
            await until("another holder", lambda: connection.fetchrow(HOLDER), lambda row: row and row[0] != port)
            log.info("taken over after %.1f s", time.monotonic() - struck)
        await until("an empty outbox", lambda: left(connection), lambda count: count == 0)
        if blow is signal.SIGSTOP:
            active.send_signal(signal.SIGCONT)
        await tell(bench, 3)
        await until("an empty outbox", lambda: left(connection), lambda count: count == 0)
        records = await bench.read(bench.topic, 3)
    numbers = [Noted.model_validate_json(record.value or b"").number for record in records]
    assert list(dict.fromkeys(numbers)) == [1, 2, 3], "each one for the first time in order, whatever was repeated"


@pytest.mark.slow
async def test_a_relay_waits_for_the_broker_longer_than_any_time_out_and_sends_once(
    bench: Bench, stack: TestStack
) -> None:
    async with relays(bench, 2), watching(bench) as connection:
        with silent_broker(stack):
            await tell(bench, *range(20))
            await holder(connection, seconds=LONGER_THAN_ANY_TIME_OUT_SECONDS)
        await until("an empty outbox", lambda: left(connection), lambda count: count == 0)
        await tell(bench, 20)
        records = await bench.read(bench.topic, 21)
    assert len(records) == len({Envelope.parse(record.headers).id for record in records}) == 21


async def test_a_relay_whose_session_is_cut_while_it_waits_for_the_broker_sends_once(
    bench: Bench, stack: TestStack
) -> None:
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = $1"
    async with relays(bench, 1), watching(bench) as connection:
        with silent_broker(stack):
            await tell(bench, 1, 2, 3)
            assert await connection.fetchval(cut, await holder(connection, seconds=0.2))
            await until("no holder", lambda: connection.fetchrow(HOLDER), lambda row: row is None)
        await until("an empty outbox", lambda: left(connection), lambda count: count == 0)
        await tell(bench, 4)
        records = await bench.read(bench.topic, 4)
    assert len(records) == len({Envelope.parse(record.headers).id for record in records}) == 4


async def test_a_relay_ends_when_the_broker_refuses_a_record_for_good(bench: Bench) -> None:
    topic = bench.settings.topic_prefix + COURT_EVENTS.name
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap)
    await admin.start()
    await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "300"})])
    await admin.close()
    record = Outgoing(uuid7(), COURT_EVENTS.name, "c", "slot.blocked.v1", "/test", bytes(1000), datetime.now(UTC))
    async with relays(bench, 1) as (process,), watching(bench) as connection:
        async with bench.unit_of_work() as work:
            work.outgoing.append(record)

        async def ended() -> int | None:
            return process.poll()

        assert await until("the end of the relay", ended, lambda code: code is not None) == 1
        assert await left(connection) == 1
