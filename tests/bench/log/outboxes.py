"""An outbox as booking has one, in a database and under topics of its own, filled with one event many times."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition

from courtside_contracts import examples
from courtside_contracts.booking import BookingHeld
from courtside_contracts.topics import BOOKING_EVENTS
from tests.bench.log.waiting import until
from tests.stack import TestStack

HELD = examples.example(BookingHeld)
HEADERS = orjson.dumps(
    {
        "ce_source": HELD.source,
        "ce_correlationid": "01a20fcf-2144-7d10-b7a8-1f2e3d4c5b6a",
        "traceparent": "00-12a7037f4028458c11c32a597a26cd87-6f28050badbcd9c7-01",
    }
).decode()
"""As a hold over HTTP has them."""

# A thousand bookings in turn, so that keys lie evenly on all partitions.
FILL = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
SELECT gen_random_uuid(), $2, md5((number % 1000)::text)::uuid::text, $3, $4, $5, clock_timestamp()
FROM generate_series(1, $1::int) AS number
"""
FILLED_WITHIN_SECONDS = 300.0
LOOK_EVERY_SECONDS = 0.01


@dataclass(frozen=True)
class Outbox:
    stack: TestStack
    url: str
    topic_prefix: str
    connection: asyncpg.Connection[Any]

    @property
    def topic(self) -> str:
        return self.topic_prefix + BOOKING_EVENTS.name

    @property
    def environment(self) -> dict[str, str]:
        """For a process of booking that writes or carries it."""
        return {"BOOKING_DATABASE_URL": self.url, "BOOKING_TOPIC_PREFIX": self.topic_prefix}

    async def fill(self, rows: int) -> None:
        told = (HELD.topic, HELD.type, HELD.value(), HEADERS)
        await self.connection.execute(FILL, rows, *told, timeout=FILLED_WITHIN_SECONDS)
        await self.connection.execute("ANALYZE outbox")


@asynccontextmanager
async def opened(stack: TestStack) -> AsyncIterator[Outbox]:
    """In a database as booking's migrations make it."""
    url = await stack.new_database("booking")
    await stack.run("migrate", "services.booking", "migrate", **stack.environment("booking", BOOKING_DATABASE_URL=url))
    async with of(stack, url) as outbox:
        yield outbox


@asynccontextmanager
async def of(stack: TestStack, url: str) -> AsyncIterator[Outbox]:
    """The one of this database."""
    _, topic_prefix = await stack.new_topics()
    connection = await asyncpg.connect(url)
    try:
        yield Outbox(stack, url, topic_prefix, connection)
    finally:
        await connection.close()
        await stack.drop_topics(topic_prefix)


@dataclass(frozen=True)
class Topic:
    """One topic, looked at from outside: how many records it has."""

    name: str
    consumer: AIOKafkaConsumer

    async def size(self) -> int:
        """Of all that were ever written."""
        partitions = [TopicPartition(self.name, number) for number in range(BOOKING_EVENTS.partitions)]
        return sum((await self.consumer.end_offsets(partitions)).values())

    async def arrivals(self, rows: int, before: int) -> list[tuple[float, int]]:
        """What was there beyond `before`, and when it was looked, from the first look that found something until all `rows` have come."""
        seen: list[tuple[float, int]] = []

        async def look() -> int:
            if arrived := await self.size() - before:
                seen.append((time.monotonic(), arrived))
            return arrived

        await until(f"{rows} records", look, lambda arrived: arrived >= rows, every_seconds=LOOK_EVERY_SECONDS)
        return seen


@asynccontextmanager
async def watching(stack: TestStack, name: str) -> AsyncIterator[Topic]:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap)
    await consumer.start()
    try:
        yield Topic(name, consumer)
    finally:
        await consumer.stop()
