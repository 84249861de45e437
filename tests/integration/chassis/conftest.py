"""A worker of the chassis in this process, on a real PostgreSQL and a real Kafka: it notes in a table what it was told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict
from sqlalchemy import Column, Integer, MetaData, Table, Text, insert, text
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.topics import BOOKING_EVENTS, USER_PROFILES, Topic, dead_letter_topic
from services.chassis import migrations
from services.chassis.clock import DatabaseClock
from services.chassis.consuming import Consumers, Delivery
from services.chassis.database import CHASSIS, Database
from services.chassis.isolating import Faults
from services.chassis.retrying import Fatal, Transient
from services.chassis.settings import Settings
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory
from services.chassis.working import consume
from tests.stack import TestStack

SOON = 3
"""The try that succeeds: after the one in a shared transaction and the one alone, both before the record goes to a tier."""
GIVE_UP_SECONDS = 60.0
"""Of every wait: longer than a member's whole drain, on a machine that has other things to do."""
SHORT = (timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=2), timedelta(seconds=2))

effects = Table(
    "effects", MetaData(), Column("seq", Integer, primary_key=True), Column("key", Text), Column("number", Integer)
)


class Noted(Event):
    """`fails` says what its handler does before it succeeds: nothing, `at first`, `always`, `fatally`, or `while broken`."""

    type: ClassVar[str] = "test.noted.v1"
    topic: ClassVar[str] = BOOKING_EVENTS.name
    source: ClassVar[str] = "/test"

    name: str
    number: int
    fails: str = ""

    @property
    def key(self) -> str:
        return self.name


class Called(Noted):
    """The same for a handler that calls out."""

    type: ClassVar[str] = "test.called.v1"


class Known(Noted):
    """State on a compacted topic: it may be erased, and its table says so by a null number."""

    type: ClassVar[str] = "test.known.v1"
    topic: ClassVar[str] = USER_PROFILES.name


class WorkerSettings(Settings):
    model_config = SettingsConfigDict(env_prefix="TEST_WORKER_", extra="ignore")
    service: ClassVar[str] = "payments"


@dataclass
class Worker:
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    stalled: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] = field(init=False)


@dataclass
class Bench:
    """A database, topics, and a producer and consumer that know nothing of the chassis."""

    settings: WorkerSettings
    database: Database
    unit_of_work: UnitOfWorkFactory
    producer: AIOKafkaProducer
    tries: list[tuple[str, int]] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    broken: bool = True
    """Until somebody mends what events that fail `while broken` need."""

    @property
    def topic(self) -> str:
        return self.settings.topic_prefix + BOOKING_EVENTS.name

    @property
    def dead_letters(self) -> str:
        return self.settings.topic_prefix + dead_letter_topic(self.settings.service).name

    async def note(self, work: UnitOfWork, event: Noted) -> None:
        self.tries.append((event.name, event.number))
        if event.fails == "fatally" or (event.fails == "while broken" and self.broken):
            raise Fatal("a person must look at this")
        if event.fails == "always" or (
            event.fails == "at first" and self.tries.count((event.name, event.number)) < SOON
        ):
            raise Transient("not now")
        await work.session.execute(insert(effects).values(key=event.name, number=event.number))

    async def call(self, delivery: Delivery[Called]) -> None:
        await asyncio.sleep(0)  # others of the batch get their turn here, as in a real call
        async with delivery.once() as work:
            await self.note(work, delivery.event)

    async def forget(self, work: UnitOfWork, key: str) -> None:
        await work.session.execute(insert(effects).values(key=key, number=None))

    @property
    def consumers(self) -> Consumers:
        return Consumers(
            topics=(BOOKING_EVENTS, USER_PROFILES),
            projections={Known: self.note},
            tombstones={Known: self.forget},
            in_transaction={Noted: self.note},
            calling_out={Called: self.call},
        )

    @asynccontextmanager
    async def working(self) -> AsyncIterator[Worker]:
        """A worker that consumes until the block ends, and then drains."""
        worker = Worker()
        events = worker.stopping, worker.started, worker.stalled
        work = consume(self.settings, self.consumers, self.unit_of_work, *events, self.faults)
        worker.task = asyncio.create_task(work)
        try:
            await asyncio.wait_for(worker.started.wait(), GIVE_UP_SECONDS)
            yield worker
        finally:
            worker.stopping.set()
            await asyncio.wait_for(worker.task, GIVE_UP_SECONDS)

    async def publish(self, *events: Noted, partition: int = 0) -> list[Envelope]:
        """All into one partition, so that a batch holds them together and in order."""
        sent = [
            (event, Envelope(str(uuid7()), event.type, event.source, datetime.now(UTC), event.key)) for event in events
        ]
        for event, attributes in sent:
            await self.send(
                event.value(), attributes.headers(), key=event.key.encode(), partition=partition, topic=event.topic
            )
        await self.producer.flush()
        return [attributes for _, attributes in sent]

    async def send(
        self, value: bytes | None, headers: Any, *, key: bytes | None = b"k", partition: int = 0, topic: str = ""
    ) -> ConsumerRecord[bytes, bytes]:
        """To the bookings' topic, or to one that has no prefix yet."""
        to = self.settings.topic_prefix + topic if topic else self.topic
        if key is None and value is None:
            return await self._send_nothing(to, headers, partition)
        future = await self.producer.send(to, value, key=key, headers=list(headers), partition=partition)
        return await future

    async def _send_nothing(self, topic: str, headers: Any, partition: int) -> ConsumerRecord[bytes, bytes]:
        """Kafka takes a record with neither key nor value; it is aiokafka's producer that asks for one of them, and others do not."""
        await self.producer.partitions_for(topic)
        spot, accumulator = TopicPartition(topic, partition), self.producer._message_accumulator
        return await (await accumulator.add_message(spot, None, None, GIVE_UP_SECONDS, headers=list(headers)))

    async def bury(self, name: str, event_id: str) -> None:
        """The tombstone of what was known under this name."""
        attributes = Envelope(event_id, Known.type, Known.source, datetime.now(UTC), name)
        await self.send(None, attributes.headers(), key=name.encode(), topic=Known.topic)

    async def at_revision(self, revision: str) -> None:
        """What the database says of itself; none of a service's migrations have made it."""
        async with self.database.engine.begin() as connection:
            await connection.execute(text("CREATE TABLE IF NOT EXISTS alembic_version (version_num text)"))
            await connection.execute(text("DELETE FROM alembic_version"))
            await connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": revision})

    async def at_newest_revision(self) -> None:
        await self.at_revision(migrations.revisions(self.settings.service)[0])

    async def effects(self) -> list[tuple[str, int]]:
        async with self.database.engine.connect() as connection:
            rows = await connection.execute(text("SELECT key, number FROM effects ORDER BY seq"))
            return [(row.key, row.number) for row in rows]

    async def until_effects(self, wanted: int) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = await until(f"{wanted} effects", self.effects, lambda seen: len(seen) >= wanted)
        return found

    async def until(self, wanted: tuple[str, int]) -> None:
        await until(f"effect {wanted}", self.effects, lambda seen: wanted in seen)

    async def until_committed(self, partition: int = 0, topic: Topic = BOOKING_EVENTS, group: str = "") -> None:
        """The service's group, or its named one, has nothing left to read there."""
        spot = TopicPartition(self.settings.topic_prefix + topic.name, partition)
        async with reader(self.settings.kafka_bootstrap) as consumer:
            end = (await consumer.end_offsets([spot]))[spot]
        await until(f"offset {end} committed", lambda: self.committed(spot, group), lambda offset: offset == end)

    async def committed(self, spot: TopicPartition, group: str = "") -> int | None:
        name = self.settings.topic_prefix + self.settings.service + group
        async with reader(self.settings.kafka_bootstrap, group=name) as consumer:
            consumer.assign([spot])
            offset: int | None = await consumer.committed(spot)
            return offset

    async def count(self, topic: str) -> int:
        """How many records were ever put there."""
        async with reader(self.settings.kafka_bootstrap, topic) as consumer:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            return sum((await consumer.end_offsets(partitions)).values())

    async def read(self, topic: str, wanted: int) -> list[ConsumerRecord[bytes, bytes]]:
        """All records of a topic, once there are so many."""
        async with reader(self.settings.kafka_bootstrap, topic) as consumer:
            found: list[ConsumerRecord[bytes, bytes]] = []

            async def more() -> int:
                batches = await consumer.getmany(timeout_ms=200)
                found.extend(record for batch in batches.values() for record in batch)
                return len(found)

            await until(f"{wanted} records on {topic}", more, lambda count: count >= wanted)
            return found


@asynccontextmanager
async def reader(bootstrap: str, *topics: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def until(
    what: str,
    look: Callable[[], Awaitable[Any]],
    enough: Callable[[Any], bool],
    within_seconds: float = GIVE_UP_SECONDS,
) -> Any:
    deadline = asyncio.get_running_loop().time() + within_seconds
    while not enough(found := await look()):
        assert asyncio.get_running_loop().time() < deadline, f"{what} did not come: {found}"
        await asyncio.sleep(0.02)
    return found


@pytest.fixture
async def bench(stack: TestStack) -> AsyncIterator[Bench]:
    async with open_bench(stack) as bench:
        yield bench


@asynccontextmanager
async def open_bench(stack: TestStack) -> AsyncIterator[Bench]:
    url, (bootstrap, prefix) = await asyncio.gather(stack.new_database("payments"), stack.new_topics())
    settings = WorkerSettings(
        database_url=SecretStr(url), kafka_bootstrap=bootstrap, topic_prefix=prefix, retry_delays=SHORT
    )
    database = await Database.open(settings)
    async with database.engine.begin() as connection:
        await connection.run_sync(CHASSIS.create_all)
        await connection.run_sync(effects.metadata.create_all)
    clock = DatabaseClock()
    await clock.synchronise(database)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, max_request_size=2_000_000)
    await producer.start()
    try:
        yield Bench(settings, database, UnitOfWorkFactory(database, clock, lambda: None), producer)
    finally:
        await producer.stop()
        await database.close()
        await stack.drop_topics(prefix)
