"""Debezium in place of the relay, in a Kafka Connect worker: what either puts on the wire is the same."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
from aiokafka import ConsumerRecord
from uuid_utils.compat import uuid7

from courtside_contracts.topics import BOOKING_EVENTS, RECORD_MAX_BYTES, USER_PROFILES
from deploy.debezium import jars
from deploy.local import jars as broker_jars
from deploy.local.processes import Part
from services.chassis.outbox import OVERHEAD_BYTES, Outgoing
from services.chassis.outbox_tidying import tidy
from services.chassis.verbatim import Verbatim
from tests.integration.chassis.conftest import Bench, Noted, reader, until
from tests.integration.chassis.test_relay import relaying, waiting
from tests.integration.chassis.test_relay_processes import silent_broker
from tests.integration.chassis.test_relay_processes import watching as owner
from tests.ports import free_port
from tests.programs import REPOSITORY
from tests.stack import TestStack

DEBEZIUM = REPOSITORY / "deploy" / "debezium"
STARTED_WITHIN_SECONDS, SENT_WITHIN_SECONDS = 90.0, 90.0
"""A Java program that has just been started, on a machine that is busy with other things."""
AN_OUTAGE = timedelta(seconds=15)
"""Longer than Debezium's and Connect's own intervals: whatever they do by the clock they have done."""
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
A_ROUND_SECOND = datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
LONG_AGO = datetime.now(UTC) - timedelta(days=2)
A_MICROSECOND_LATER = A_ROUND_SECOND.replace(microsecond=10)


def outgoing(key: str, payload: bytes | None, topic: str = BOOKING_EVENTS.name, **changes: Any) -> Outgoing:
    told = {"time": A_MICROSECOND_LATER, "traceparent": None, "correlation_id": None} | changes
    return Outgoing(uuid7(), topic, key, "test.noted.v1", "/test", payload, **told)


def events() -> list[Outgoing]:
    """Each kind that there is, once."""
    return [
        outgoing("plain", b'{"number": 1}'),
        outgoing("traced", b'{"number":2}', traceparent=TRACEPARENT, correlation_id="request-7"),
        outgoing("only traced", b"{}", traceparent=TRACEPARENT),
        outgoing("only correlated", b"{}", correlation_id="request-8 \u00fc", time=A_ROUND_SECOND),
        outgoing("forgotten", None, USER_PROFILES.name),
        outgoing("M\u00fcller \u6c38", '{"name":"J\u00f6rg \\u00fc"}'.encode()),
        outgoing("not text", b"\xff\x00 as received"),
        outgoing("blank", b" "),
        outgoing("large", b"x" * (RECORD_MAX_BYTES - OVERHEAD_BYTES)),
    ]


def on_the_wire(records: Iterable[ConsumerRecord[bytes, bytes]], prefix: str) -> Counter[tuple[Any, ...]]:
    """Everything that a consumer sees, and the partition, on which the order of a key depends."""
    return Counter((r.topic.removeprefix(prefix), r.partition, r.key, r.value, tuple(r.headers)) for r in records)


async def tell(bench: Bench, told: Iterable[Outgoing]) -> None:
    async with bench.unit_of_work() as work:
        work.outgoing.extend(told)


async def prepare(bench: Bench, stack: TestStack) -> None:
    superuser = await stack.postgres.connect()
    await superuser.execute("ALTER ROLE payments REPLICATION")
    await superuser.close()
    await run_script(bench, "prepare.sql")


async def run_script(bench: Bench, name: str) -> None:
    async with owner(bench) as connection:
        await connection.execute((DEBEZIUM / name).read_text())


@asynccontextmanager
async def debezium(bench: Bench, stack: TestStack, offsets: Path) -> AsyncIterator[None]:
    """A Connect worker whose connector runs."""
    url, port = urlsplit(bench.settings.database_url.get_secret_value()), free_port()
    name = url.path.removeprefix("/")
    environment = {
        "OUTBOX_KAFKA_BOOTSTRAP": bench.settings.kafka_bootstrap,
        "OUTBOX_TOPIC_PREFIX": bench.settings.topic_prefix,
        "OUTBOX_OFFSETS_FILE": str(offsets),
        "OUTBOX_CONNECT_PORT": str(port),
        "OUTBOX_HOST": str(url.hostname),
        "OUTBOX_PORT": str(url.port),
        "OUTBOX_DATABASE": name,
        "OUTBOX_USER": str(url.username),
        "OUTBOX_PASSWORD": str(url.password),
    }
    status = f"http://127.0.0.1:{port}/connectors/outbox/status"
    part = Part("debezium", (sys.executable, "-m", "deploy.debezium"), environment, f"http://127.0.0.1:{port}/")
    stack.processes.start(part)
    try:
        await stack.processes.until_ready(part)
        async with httpx.AsyncClient(trust_env=False) as client:

            async def states() -> list[str]:
                answer = (await client.get(status)).json()
                return [task["state"] for task in answer.get("tasks", [])]

            await until("a running task", states, lambda found: found == ["RUNNING"], STARTED_WITHIN_SECONDS)
        yield
    finally:
        await stack.processes.stop("debezium")


def test_the_lock_holds_what_the_code_names_and_nothing_that_the_broker_has() -> None:
    locked = {jar.coordinate for jar in broker_jars.locked(jars.LOCK)}
    assert {jars.CONNECT, jars.DEBEZIUM} <= locked
    brokers = {jars.artifact_of(jar.coordinate) for jar in broker_jars.locked()}
    assert not brokers & {jars.artifact_of(coordinate) for coordinate in locked}


async def test_debezium_takes_over_no_outbox_in_which_records_wait_to_be_sent_as_they_are(bench: Bench) -> None:
    as_it_is = Outgoing(uuid7(), Noted.topic, "k", "", "", b"", datetime.now(UTC), verbatim=Verbatim(None, ()))
    await tell(bench, [as_it_is])
    with pytest.raises(asyncpg.CheckViolationError, match="outbox_no_verbatim"):
        await run_script(bench, "prepare.sql")


@pytest.mark.parametrize("slot", [True, False])
async def test_while_no_connector_is_connected_no_row_is_deleted(bench: Bench, stack: TestStack, slot: bool) -> None:
    """A slot that nobody reads has confirmed nothing, and one that is not there even less."""
    await prepare(bench, stack)
    await tell(bench, [outgoing("old", b"{}", time=LONG_AGO)])
    async with owner(bench) as connection:
        name = "courtside_outbox_" + str(await connection.fetchval("SELECT current_database()"))
        if slot:
            await connection.execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
        for _ in range(3):
            assert await connection.fetchval("SELECT outbox_tidy()") == 0
        assert await waiting(bench) == 1
    await run_script(bench, "undo.sql")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_row_is_deleted_a_day_after_its_commit_and_never_before_kafka_has_it(
    bench: Bench, stack: TestStack, tmp_path: Path
) -> None:
    await prepare(bench, stack)
    async with owner(bench) as connection, debezium(bench, stack, tmp_path / "offsets"):

        async def keys_left() -> set[str]:
            """After tidying, and while others book: only what comes after a row lets the slot pass over it."""
            await tell(bench, [outgoing("young", b"{}", time=datetime.now(UTC))])
            async with bench.unit_of_work() as work:
                await tidy(work)
            return {row["aggregateid"] for row in await connection.fetch("SELECT DISTINCT aggregateid FROM outbox")}

        await tell(bench, [outgoing("old", b"{}", time=LONG_AGO)])
        await until("the old one gone", keys_left, lambda left: left == {"young"}, SENT_WITHIN_SECONDS)
        with silent_broker(stack):
            await tell(bench, [outgoing("not on Kafka", b"{}", time=LONG_AGO)])
            # As of a connector that read another slot: what that one had confirmed is not what this one has.
            await connection.execute("UPDATE outbox_mark SET connected_at = $1, lsn = '0/1'", LONG_AGO)
            silent_since = await connection.fetchval("SELECT clock_timestamp()")

            async def silent_for() -> timedelta:
                assert await keys_left() == {"young", "not on Kafka"}
                passed: timedelta = await connection.fetchval("SELECT clock_timestamp()") - silent_since
                return passed

            await until("a long outage", silent_for, lambda passed: passed > AN_OUTAGE)
        await until("the other one gone too", keys_left, lambda left: left == {"young"}, SENT_WITHIN_SECONDS)
        sent = {record.key for record in await bench.read(bench.topic, await bench.count(bench.topic))}
        assert sent == {b"old", b"young", b"not on Kafka"}
    await run_script(bench, "undo.sql")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_relay_and_debezium_put_the_same_on_the_wire(bench: Bench, stack: TestStack, tmp_path: Path) -> None:
    prefix, told = bench.settings.topic_prefix, events()
    topics = [prefix + BOOKING_EVENTS.name, prefix + USER_PROFILES.name]
    await prepare(bench, stack)
    await tell(bench, told)
    async with relaying(bench):
        await until("an empty outbox", lambda: waiting(bench), lambda count: count == 0)
    by_relay = on_the_wire(await read(bench, topics, len(told)), prefix)
    snapshot, stream = told[::2], told[1::2]
    await tell(bench, snapshot)
    async with debezium(bench, stack, tmp_path / "offsets"):
        await tell(bench, stream)
        both = on_the_wire(await read(bench, topics, 2 * len(told)), prefix)
    assert len(by_relay) == len(told)
    assert both - by_relay == by_relay


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_switch_to_debezium_and_back_loses_nothing_and_keeps_the_order(
    bench: Bench, stack: TestStack, tmp_path: Path
) -> None:
    await prepare(bench, stack)
    async with writing(bench) as written:
        async with relaying(bench):
            await until_on_topic(bench, written)
        async with debezium(bench, stack, tmp_path / "offsets"):
            await until_on_topic(bench, written)
        async with relaying(bench):
            await until_on_topic(bench, written)
    async with relaying(bench):
        await until("an empty outbox", lambda: waiting(bench), lambda count: count == 0)
    await run_script(bench, "undo.sql")
    assert await numbers_on_topic(bench, len(written)) == written


async def numbers_on_topic(bench: Bench, wanted: int) -> list[int]:
    """In order, each at its first place: a switch may repeat some."""
    async with reader(bench.settings.kafka_bootstrap, bench.topic) as consumer:
        found: dict[int, None] = {}

        async def more() -> int:
            batches = await consumer.getmany(timeout_ms=200)
            values = (record.value or b"" for batch in batches.values() for record in batch)
            found.update(dict.fromkeys(Noted.model_validate_json(value).number for value in values))
            return len(found)

        await until(f"{wanted} numbers", more, lambda seen: seen >= wanted, SENT_WITHIN_SECONDS)
        return list(found)


@asynccontextmanager
async def writing(bench: Bench) -> AsyncIterator[list[int]]:
    """One event after the other, all of one booking, until the block ends. Yields the numbers of those that are committed."""
    written: list[int] = []
    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            number = len(written)
            async with bench.unit_of_work() as work:
                work.publish(Noted(name="a", number=number))
            written.append(number)
            await asyncio.sleep(0.01)

    task = asyncio.create_task(write())
    try:
        yield written
    finally:
        enough.set()  # not cancelled: a commit under way would be one that nobody noted
        await task


async def until_on_topic(bench: Bench, written: list[int]) -> None:
    """What is committed from now on comes through, so whoever carries it now is at work."""
    wanted = len(written) + 20

    async with reader(bench.settings.kafka_bootstrap, bench.topic) as consumer:
        seen: set[bytes] = set()

        async def look() -> int:
            batches = await consumer.getmany(timeout_ms=100)
            seen.update(record.value for batch in batches.values() for record in batch)
            return len(seen)

        await until(f"event {wanted}", look, lambda found: found >= wanted, SENT_WITHIN_SECONDS)


async def read(bench: Bench, topics: list[str], wanted: int) -> list[ConsumerRecord[bytes, bytes]]:
    async with reader(bench.settings.kafka_bootstrap, *topics) as consumer:
        found: list[ConsumerRecord[bytes, bytes]] = []

        async def more() -> int:
            batches = await consumer.getmany(timeout_ms=200)
            found.extend(record for batch in batches.values() for record in batch)
            return len(found)

        await until(f"{wanted} records", more, lambda seen: seen >= wanted, SENT_WITHIN_SECONDS)
        return found
