"""Either side of the relay is away in an ugly way: a partition without a leader, a database that is silent or takes no commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from aiokafka.client import AIOKafkaClient
from pydantic import SecretStr
from sqlalchemy import text
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope
from services.chassis import database, sending
from services.chassis.outbox import Outgoing
from services.chassis.relay import Relay
from services.chassis.sending import RelayFailed
from tests.integration.chassis.conftest import Bench, Noted, until
from tests.integration.chassis.proxy import Proxy
from tests.integration.chassis.second_broker import SecondBroker
from tests.integration.chassis.test_relay import held_seconds, relaying, waiting
from tests.integration.chassis.test_relay_processes import silent_broker
from tests.stack import TestStack

SHORT_ANSWER_MS = 1_000
LONGER_SECONDS = 4.0
"""Than four of those."""
LOOKS_PER_SECOND_MAX = 50
"""Far more than the relay's ten, and far less than the thousands that a broker can answer."""
LONELY = "of.one.broker"


def named(*names: str, topic: str = LONELY, payload: bytes = b"") -> list[Outgoing]:
    """All of one booking."""
    now = datetime.now(UTC)
    return [Outgoing(uuid7(), topic, "b", "test.noted.v1", "/test", name.encode() + payload, now) for name in names]


async def tell(bench: Bench, outgoing: Sequence[Outgoing]) -> None:
    async with bench.unit_of_work() as work:
        work.outgoing.extend(outgoing)


async def until_empty(bench: Bench) -> None:
    await until("an empty outbox", lambda: waiting(bench), lambda count: count == 0)


def once(records: Sequence[ConsumerRecord[bytes, bytes]]) -> bool:
    return len(records) == len({Envelope.parse(record.headers).id for record in records})


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When any client of this process asked who leads what."""
    moments, ask = list[float](), AIOKafkaClient._metadata_update

    async def note(*arguments: object) -> object:
        moments.append(time.monotonic())
        return await ask(*arguments)

    monkeypatch.setattr(AIOKafkaClient, "_metadata_update", note)
    return moments


@pytest.mark.slow
@pytest.mark.child_servers
async def test_events_of_a_partition_without_a_leader_wait_for_it_and_keep_their_order(
    bench: Bench, stack: TestStack, tmp_path: Path, looks: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_MS", SHORT_ANSWER_MS)
    topic = bench.settings.topic_prefix + LONELY
    async with SecondBroker.open(stack, tmp_path / "second") as second:
        await second.create_topic(topic)
        async with relaying(bench) as task:
            await tell(bench, named("1"))
            await until_empty(bench)
            await second.stop()
            await tell(bench, named("2", "3"))
            looks.clear()
            waited = await until("a long wait", lambda: held_seconds(bench), lambda seconds: seconds > LONGER_SECONDS)
            assert len(looks) / waited < LOOKS_PER_SECOND_MAX
            await tell(bench, named("4"))
            await second.start()
            await until_empty(bench)
            records = await bench.read(topic, 4)
            assert not task.done()
    assert [record.value for record in records] == [b"1", b"2", b"3", b"4"]


async def test_more_than_the_producer_buffers_waits_for_the_broker_as_long_as_it_takes(
    bench: Bench, stack: TestStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_MS", SHORT_ANSWER_MS)
    large = [
        Outgoing(uuid7(), Noted.topic, "b", Noted.type, "/test", bytes(100_000), datetime.now(UTC)) for _ in "1234"
    ]
    async with relaying(bench) as task:
        await tell(bench, large[:1])
        await until_empty(bench)
        with silent_broker(stack):
            await tell(bench, large[1:])
            await until("a relay that waits", lambda: held_seconds(bench), lambda seconds: seconds > LONGER_SECONDS)
            assert not task.done()
        await until_empty(bench)
        records = await bench.read(bench.topic, 4)
    assert [Envelope.parse(record.headers).id for record in records] == [str(each.id) for each in large]


REFUSE_COMMITS = """
CREATE SEQUENCE refusals;
CREATE TABLE refusing ();
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF to_regclass('refusing') IS NOT NULL THEN
        PERFORM nextval('refusals');
        RAISE 'no commit today';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER refuse AFTER DELETE ON outbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()
"""


async def test_events_are_sent_once_though_several_commits_that_delete_them_fail(bench: Bench) -> None:
    connection = await asyncpg.connect(bench.settings.database_url.get_secret_value())
    await connection.execute(REFUSE_COMMITS)

    async def refusals() -> int:
        return int(await connection.fetchval("SELECT last_value FROM refusals WHERE is_called") or 0)

    async with relaying(bench):
        for number in (1, 2):
            await tell(bench, named(str(number), topic=Noted.topic))
            await bench.read(bench.topic, number)
        seen = await refusals()
        await until("two more refusals", refusals, lambda count: count >= seen + 2)
        await connection.execute("DROP TABLE refusing")
        await until_empty(bench)
        await tell(bench, named("3", topic=Noted.topic))
        await until_empty(bench)
    await connection.close()
    assert [record.value for record in await bench.read(bench.topic, 3)] == [b"1", b"2", b"3"]


@pytest.mark.parametrize("falls_silent", ["while it waits for events", "while it waits for the broker"])
async def test_a_database_that_falls_silent_is_left_and_found_again(
    bench: Bench, stack: TestStack, monkeypatch: pytest.MonkeyPatch, falls_silent: str
) -> None:
    monkeypatch.setitem(database.TIMEOUTS, "command_timeout", 1.0)
    monkeypatch.setitem(database.TIMEOUTS, "timeout", 1.0)
    url = urlsplit(bench.settings.database_url.get_secret_value())
    async with Proxy.open(url.port or 0) as proxy:
        through = url._replace(netloc=url.netloc.replace(str(url.port), str(proxy.listens_on))).geturl()
        behind = replace(bench, settings=bench.settings.model_copy(update={"database_url": SecretStr(through)}))
        async with relaying(behind) as task:
            await tell(bench, named("1", topic=Noted.topic))
            await until_empty(bench)
            if falls_silent == "while it waits for the broker":
                with silent_broker(stack):
                    await tell(bench, named("2", topic=Noted.topic))
                    await until("a relay that waits", lambda: held_seconds(bench), lambda seconds: seconds > 0.5)
                    proxy.fall_silent()
                    await until("no session", lambda: held_seconds(bench), lambda seconds: seconds == 0)
            else:
                proxy.fall_silent()
                await tell(bench, named("2", topic=Noted.topic))
            await until("an attempt in vain", proxy.attempts_in_vain, lambda count: count >= 1)
            proxy.be_free()
            await until_empty(bench)
            assert not task.done()
    records = await bench.read(bench.topic, 2)
    assert [record.value for record in records] == [b"1", b"2"]
    assert once(records)


async def test_a_row_that_cannot_be_sent_ends_the_relay_and_is_not_taken_for_an_outage(bench: Bench) -> None:
    async with bench.database.engine.begin() as connection:
        await connection.execute(
            text("""
                INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
                VALUES (gen_random_uuid(), 'booking.events', 'b', 'test.noted.v1', '', '{}', now())
            """)
        )
    relay = Relay(bench.settings, bench.settings.database_url.get_secret_value())
    with pytest.raises(RelayFailed, match="KeyError"):
        await asyncio.wait_for(relay.run(asyncio.Event()), 30)
    assert await waiting(bench) == 1
