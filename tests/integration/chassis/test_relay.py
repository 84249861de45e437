"""From the outbox to the topic, on a real PostgreSQL and a real Kafka."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from prometheus_client import REGISTRY
from sqlalchemy import text
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope
from courtside_contracts.topics import RECORD_MAX_BYTES
from services.chassis import relay as relay_module
from services.chassis import sending
from services.chassis.doorbell import CHANNEL, Doorbell
from services.chassis.outbox import Outgoing, RecordTooLarge, on_the_wire
from services.chassis.outbox_lag import measure_lag
from services.chassis.outbox_queue import BATCH, Batch
from services.chassis.relay import CONNECTION, Relay
from services.chassis.sending import RelayFailed, Sender
from services.chassis.service import Process, Service
from services.chassis.telemetry import tracing
from services.chassis.unit_of_work import UnitOfWorkFactory
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Noted, until


@asynccontextmanager
async def relaying(bench: Bench) -> AsyncIterator[asyncio.Task[None]]:
    stopping = asyncio.Event()
    relay = Relay(bench.settings, bench.settings.database_url.get_secret_value())
    task = asyncio.create_task(relay.run(stopping))
    try:
        yield task
    finally:
        stopping.set()
        await asyncio.wait([task], timeout=GIVE_UP_SECONDS)


@asynccontextmanager
async def answering(doorbell: Doorbell) -> AsyncIterator[None]:
    ringing = asyncio.create_task(doorbell.run())
    try:
        yield
    finally:
        ringing.cancel()
        await asyncio.wait([ringing])


async def waiting(bench: Bench) -> int:
    async with bench.database.engine.connect() as connection:
        return int((await connection.execute(text("SELECT count(*) FROM outbox"))).scalar_one())


async def test_events_arrive_in_order_with_their_attributes_and_leave_the_outbox(bench: Bench) -> None:
    with tracing("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "request-7"):
        async with bench.unit_of_work() as work:
            for number in range(BATCH + 20):
                work.publish(Noted(name="a", number=number))
    async with relaying(bench):
        records = await bench.read(bench.topic, BATCH + 20)
        await until("an empty outbox", lambda: waiting(bench), lambda count: count == 0)
    assert [Noted.model_validate_json(record.value or b"").number for record in records] == list(range(BATCH + 20))
    attributes = Envelope.parse(records[0].headers)
    assert (attributes.type, attributes.source, attributes.subject) == ("test.noted.v1", "/test", "a")
    assert (attributes.time, attributes.correlation_id) == (work.now, "request-7")
    assert (attributes.traceparent or "").split("-")[1] == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert {record.key for record in records} == {b"a"}


async def test_bytes_and_tombstones_travel_as_they_are(bench: Bench) -> None:
    async with bench.unit_of_work() as work:
        for payload in (b"\xff not json", None):
            work.outgoing.append(
                Outgoing(uuid7(), "user.profiles", "u1", "user.profile.v1", "/test", payload, datetime.now(UTC))
            )
    async with relaying(bench):
        records = await bench.read(f"{bench.settings.topic_prefix}user.profiles", 2)
    assert [record.value for record in records] == [b"\xff not json", None]


async def test_nothing_is_told_of_a_transaction_that_failed(bench: Bench) -> None:
    async def fail_after_telling() -> None:
        async with bench.unit_of_work() as work:
            work.publish(Noted(name="a", number=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail_after_telling()
    assert await waiting(bench) == 0


async def test_a_row_that_no_topic_takes_is_refused_with_its_transaction(bench: Bench) -> None:
    async def tell_too_much() -> None:
        async with bench.unit_of_work() as work:
            work.publish(Noted(name="x" * RECORD_MAX_BYTES, number=1))

    with pytest.raises(RecordTooLarge):
        await tell_too_much()
    assert await waiting(bench) == 0


async def test_one_relay_works_and_another_takes_over_when_it_is_gone(bench: Bench) -> None:
    async with relaying(bench) as first, relaying(bench) as second:
        async with bench.unit_of_work() as work:
            work.publish(Noted(name="a", number=1))
        await bench.read(bench.topic, 1)
        assert not first.done()
        assert not second.done()
        first.cancel()
        async with bench.unit_of_work() as work:
            work.publish(Noted(name="a", number=2))
        records = await bench.read(bench.topic, 2)
    assert len({Envelope.parse(record.headers).id for record in records}) == 2


async def test_a_relay_whose_connection_is_cut_comes_back(bench: Bench) -> None:
    async with relaying(bench) as task:
        async with bench.unit_of_work() as work:
            work.publish(Noted(name="a", number=1))
        await bench.read(bench.topic, 1)
        async with bench.database.engine.connect() as connection:
            cut = """
                SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                WHERE application_name = 'payments-relay' AND datname = current_database()
            """
            assert (await connection.execute(text(cut))).scalars().all() == [True]
        async with bench.unit_of_work() as work:
            work.publish(Noted(name="a", number=2))
        await bench.read(bench.topic, 2)
        assert not task.done()


async def test_a_relay_that_gets_little_of_its_machine_keeps_its_session_and_sends_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row takes so long that all of them take longer than a session may be idle."""
    rows, row_seconds = BATCH, 0.005
    assert rows * row_seconds > int(CONNECTION["idle_in_transaction_session_timeout"]) / 1000

    def slowly(**row: Any) -> Any:
        time.sleep(row_seconds)  # the loop stands still meanwhile, as it does for want of a core
        return on_the_wire(**row)

    monkeypatch.setattr(sending, "on_the_wire", slowly)
    async with relaying(bench):
        session = await until("a relay", lambda: session_of_the_relay(bench), bool)
        async with bench.unit_of_work() as work:
            for number in range(rows):
                work.publish(Noted(name="a", number=number))
        await until("an empty outbox", lambda: waiting(bench), lambda count: count == 0)
        assert await session_of_the_relay(bench) == session
    assert len(await bench.read(bench.topic, rows)) == rows


async def session_of_the_relay(bench: Bench) -> int | None:
    """The process of the server that it talks to."""
    serving = """
        SELECT pid FROM pg_stat_activity WHERE application_name = 'payments-relay' AND datname = current_database()
    """
    async with bench.database.engine.connect() as connection:
        return (await connection.execute(text(serving))).scalar_one_or_none()


async def test_a_relay_that_dies_between_sending_and_deleting_repeats_and_loses_nothing(bench: Bench) -> None:
    async with bench.unit_of_work() as work:
        for number in range(3):
            work.publish(Noted(name="a", number=number))
    relay = DyingRelay(bench.settings, bench.settings.database_url.get_secret_value())
    with pytest.raises(RelayFailed):
        await relay.run(asyncio.Event())
    assert await waiting(bench) == 3
    async with relaying(bench):
        records = await bench.read(bench.topic, 6)
        await until("an empty outbox", lambda: waiting(bench), lambda count: count == 0)
    ids = [Envelope.parse(record.headers).id for record in records]
    assert ids[:3] == ids[3:], "the same three again, in order"


class DyingRelay(Relay):
    async def _deliver(self, connection: asyncpg.Connection[Any], sender: Sender, batch: Batch) -> None:
        await super()._deliver(connection, sender, batch)
        raise RelayFailed


async def test_many_commits_ring_a_few_times(bench: Bench) -> None:
    doorbell = Doorbell(bench.settings.database_url.get_secret_value())
    unit_of_work = UnitOfWorkFactory(bench.database, bench.unit_of_work.clock, doorbell.ring)
    rings: list[str] = []
    listener = await asyncpg.connect(bench.settings.database_url.get_secret_value())
    await listener.add_listener(CHANNEL, lambda *_: rings.append("ring"))

    async def commit(number: int) -> None:
        async with unit_of_work() as work:
            work.publish(Noted(name=str(number), number=number))

    async def heard() -> int:
        return len(rings)

    async with answering(doorbell):
        await commit(0)
        await until("a first ring", heard, lambda count: count >= 1)
        rings.clear()
        # While one ring is on its way, all further ones are one: 200 calls in one turn of the loop cannot be more than two.
        for _ in range(200):
            doorbell.ring()
        await until("a ring for all of them", heard, lambda count: count >= 1)
        await commit(1)
        await until("another ring", heard, lambda count: count >= 2)
        assert len(rings) <= 3
    await listener.close()


async def test_a_ring_wakes_a_relay_that_would_sleep_for_long(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay_module, "POLL_SECONDS", 3600.0)
    doorbell = Doorbell(bench.settings.database_url.get_secret_value())
    unit_of_work = UnitOfWorkFactory(bench.database, bench.unit_of_work.clock, doorbell.ring)
    async with answering(doorbell), relaying(bench):
        for number in range(3):
            async with unit_of_work() as work:
                work.publish(Noted(name="a", number=number))
            await bench.read(bench.topic, number + 1)


async def test_a_topic_that_is_not_there_yet_is_waited_for(bench: Bench) -> None:
    topic = f"{bench.settings.topic_prefix}made.later"
    async with bench.unit_of_work() as work:
        work.outgoing.append(Outgoing(uuid7(), "made.later", "k", "test.noted.v1", "/test", b"{}", datetime.now(UTC)))
    async with relaying(bench) as task:
        admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap)
        await admin.start()
        await until("a relay that waits", lambda: held_seconds(bench), lambda seconds: seconds > 1)
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
        await admin.close()
        (record,) = await bench.read(topic, 1)
        assert not task.done()
    assert record.value == b"{}"


async def held_seconds(bench: Bench) -> float:
    held = """
        SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
        WHERE application_name = 'payments-relay' AND datname = current_database()
    """
    async with bench.database.engine.connect() as connection:
        return float((await connection.execute(text(held))).scalar_one())


async def test_lag_is_told_in_events_and_in_seconds(bench: Bench) -> None:
    async def told() -> tuple[float | None, float | None]:
        names = ("courtside_outbox_waiting_events", "courtside_outbox_oldest_age_seconds")
        waiting_events, age = (REGISTRY.get_sample_value(name) for name in names)
        return waiting_events, age

    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    async with bench.unit_of_work() as work:
        for _ in range(7):
            work.outgoing.append(Outgoing(uuid7(), "booking.events", "k", "test.noted.v1", "/test", b"{}", long_ago))
    measuring = asyncio.create_task(measure_lag(bench.database))
    try:
        await until("seven events, five minutes", told, lambda lag: lag[0] == 7 and 300 <= (lag[1] or 0) < 360)
        async with relaying(bench):
            await until("no lag", told, lambda lag: lag == (0, 0))
    finally:
        measuring.cancel()


async def test_a_worker_beside_debezium_runs_no_relay_and_tidies_up(bench: Bench) -> None:
    beside_debezium = bench.settings.model_copy(update={"outbox_relay": False})
    process, beside = (
        Process(settings, lambda _: Service("Test"), "worker") for settings in (bench.settings, beside_debezium)
    )
    assert (process.relays, process.tidies) == (True, False)
    assert (beside.relays, beside.tidies) == (False, True)
