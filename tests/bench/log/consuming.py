"""Case e: how fast a worker takes events through its inbox. Beside it bare loops over the same events and the same inbox."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from courtside_contracts.envelope import Envelope
from courtside_contracts.topics import BOOKING_EVENTS
from deploy.local.environment import HOST
from deploy.local.processes import Part
from tests.bench.bench import Bench
from tests.bench.lines import Line, ratio_at_least
from tests.bench.log.outboxes import HELD
from tests.bench.log.programs import program
from tests.bench.log.waiting import until
from tests.bench.rounds import Measure, interleaved
from tests.ports import free_port
from tests.stack import TestStack

EVENTS, EVENTS_ONE_BY_ONE = 40_000, 1_000
OF_A_BARE_LOOP, OF_ONE_BY_ONE = 0.5, 30.0
LOOK_EVERY_SECONDS = 0.02


@dataclass(frozen=True)
class Place:
    """A database of payments, and topics, of one consumer alone."""

    stack: TestStack
    url: str
    topic_prefix: str
    group: str
    watcher: AIOKafkaConsumer
    """Of the same group, and no member of it: it sees what is committed."""

    @property
    def topic(self) -> str:
        return self.topic_prefix + BOOKING_EVENTS.name

    async def fill(self, events: int) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.stack.bootstrap)
        await producer.start()
        for number in range(events):
            told = Envelope(str(uuid4()), HELD.type, HELD.source, datetime.now(UTC), HELD.key)
            key = f"booking {number % 1000}".encode()
            await producer.send(self.topic, HELD.value(), key=key, headers=list(told.headers()))
        await producer.stop()

    async def committed(self) -> int:
        partitions = [TopicPartition(self.topic, number) for number in range(BOOKING_EVENTS.partitions)]
        return sum([await self.watcher.committed(partition) or 0 for partition in partitions])

    async def consumed_per_second(self, events: int, consumer: AbstractAsyncContextManager[object]) -> float:
        """From the first commit of offsets to the last; a fresh process each time."""
        before = await self.committed()
        await self.fill(events)
        async with consumer:
            began, first = await self._until(before + 1)
            ended, last = await self._until(before + events)
        return (last - first) / (ended - began)

    async def _until(self, wanted: int) -> tuple[float, int]:
        """When it was seen, and what was committed by then."""
        what = f"offset {wanted} of {self.group}"
        committed = await until(what, self.committed, lambda at: at >= wanted, every_seconds=LOOK_EVERY_SECONDS)
        return time.monotonic(), committed


@asynccontextmanager
async def opened(stack: TestStack) -> AsyncIterator[Place]:
    url, (bootstrap, topic_prefix) = await asyncio.gather(stack.new_database("payments"), stack.new_topics())
    migrating = stack.environment("payments", PAYMENTS_DATABASE_URL=url)
    await stack.run("migrate", "services.payments", "migrate", **migrating)
    group = f"{topic_prefix}payments"
    watcher = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=group, enable_auto_commit=False)
    await watcher.start()
    try:
        yield Place(stack, url, topic_prefix, group, watcher)
    finally:
        await watcher.stop()
        await stack.drop_topics(topic_prefix)


@asynccontextmanager
async def worker(place: Place) -> AsyncIterator[None]:
    stack, port = place.stack, free_port()
    told = stack.environment(
        "payments",
        PAYMENTS_DATABASE_URL=place.url,
        PAYMENTS_TOPIC_PREFIX=place.topic_prefix,
        PAYMENTS_HTTP_PORT=str(port),
    )
    command = (sys.executable, "-m", "tests.bench.log.consuming_worker", "worker")
    stack.processes.start(Part("worker", command, told, f"http://{HOST}:{port}/livez"))
    try:
        yield
    finally:
        await stack.processes.stop("worker")


def bare(place: Place, by: Literal["batches", "messages"]) -> AbstractAsyncContextManager[object]:
    return program("bare_consumer", place.stack.bootstrap, place.topic, place.group, place.url, by)


async def measure(bench: Bench) -> Sequence[Line]:
    stack = bench.stack
    await stack.start_kafka()
    async with opened(stack) as ours, opened(stack) as batches, opened(stack) as messages:
        sides: dict[str, Measure] = {
            "worker": lambda: ours.consumed_per_second(EVENTS, worker(ours)),
            "batches": lambda: batches.consumed_per_second(EVENTS, bare(batches, "batches")),
            "messages": lambda: messages.consumed_per_second(EVENTS_ONE_BY_ONE, bare(messages, "messages")),
        }
        found = await interleaved(bench.rounds, sides)
    what = "worker, events through the inbox"
    return [
        Line(what, "events/s", found["worker"], "bare batch loop", found["batches"], ratio_at_least(OF_A_BARE_LOOP)),
        Line(what, "events/s", found["worker"], "one by one", found["messages"], ratio_at_least(OF_ONE_BY_ONE)),
    ]
