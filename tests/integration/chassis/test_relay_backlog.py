"""The broker is away until a million events wait; then the relay sends them at one speed from the first to the last, in little memory."""

from __future__ import annotations

import logging
import os
import statistics
import time
from itertools import pairwise

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from courtside_contracts.topics import BOOKING_EVENTS
from tests.integration.chassis.conftest import Bench, reader, until
from tests.integration.chassis.test_relay_processes import RelayProcess, left, relays, silent_broker, watching
from tests.stack import TestStack

log = logging.getLogger(__name__)

ROWS = int(os.environ.get("COURTSIDE_BACKLOG_ROWS", "1000000"))
TENTHS = 10
DRAINED_WITHIN_SECONDS = 800.0
GROWTH_MAX_BYTES = 64 * 1_048_576
"""Far less than the rows have, and far more than a batch and the producer's buffers."""

PILE_UP = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
SELECT gen_random_uuid(), 'booking.events', 'booking ' || n % 1000, 'test.noted.v1', convert_to(repeat('x', 200), 'UTF8'),
       '{"ce_source": "/test"}', now()
FROM generate_series(1, $1::int) AS n
"""


@pytest.mark.slow
@pytest.mark.timeout(1000)
async def test_a_pile_of_events_drains_at_a_flat_rate_even_while_nothing_can_be_vacuumed(
    bench: Bench, stack: TestStack
) -> None:
    async with relays(bench, 1) as (relay,), watching(bench) as connection, watching(bench) as backup:
        with silent_broker(stack):
            await connection.execute(PILE_UP, ROWS, timeout=300)
            await pin(backup)
            memory_before = psutil.Process(relay.pid).memory_info().rss
        moments, memory_most = await drain(bench, relay)
        await until("an empty outbox", lambda: left(connection), lambda count: count == 0)
    rates = [ROWS / TENTHS / (after - before) for before, after in pairwise(moments)]
    log.info("events/s by tenth: %s; memory +%d MiB", [*map(round, rates)], (memory_most - memory_before) >> 20)
    assert rates[-1] > statistics.median(rates) / 4, rates
    assert memory_most - memory_before < GROWTH_MAX_BYTES


async def pin(backup: asyncpg.Connection[asyncpg.Record]) -> None:
    """As pg_dump does: from now on no row that is deleted can be vacuumed."""
    await backup.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await backup.execute("SELECT 1 FROM outbox LIMIT 1")


async def drain(bench: Bench, relay: RelayProcess) -> tuple[list[float], int]:
    """The moments at which the first, second, … tenth had come (and of the start), and the most memory of the relay."""
    partitions = [TopicPartition(bench.topic, number) for number in range(BOOKING_EVENTS.partitions)]
    moments, memory_most = [time.monotonic()], 0
    async with reader(bench.settings.kafka_bootstrap) as consumer:

        async def look() -> int:
            nonlocal memory_most
            sent = await on_topic(consumer, partitions)
            memory_most = max(memory_most, psutil.Process(relay.pid).memory_info().rss)
            moments.extend([time.monotonic()] * (sent * TENTHS // ROWS - len(moments) + 1))
            return sent

        sent = await until("all events", look, lambda count: count >= ROWS, DRAINED_WITHIN_SECONDS)
    assert sent == ROWS, "none twice"
    return moments, memory_most


async def on_topic(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> int:
    return sum((await consumer.end_offsets(partitions)).values())
