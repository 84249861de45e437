"""What a relay reads next, on a real PostgreSQL."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from services.chassis.outbox_queue import BATCH, BATCH_BYTES, Batch, Queue
from tests.integration.chassis.conftest import Bench

WRITE = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
SELECT gen_random_uuid(), 'booking.events', $1, 'test.noted.v1', convert_to(repeat('x', $3), 'UTF8'), '{}', now()
FROM generate_series(1, $2)
"""


@asynccontextmanager
async def connections(bench: Bench, number: int) -> AsyncIterator[list[asyncpg.Connection[Any]]]:
    opened = [await asyncpg.connect(bench.settings.database_url.get_secret_value()) for _ in range(number)]
    try:
        yield opened
    finally:
        for connection in opened:
            connection.terminate()


async def write(connection: asyncpg.Connection[Any], key: str, rows: int = 1, size: int = 10) -> None:
    await connection.execute(WRITE, key, rows, size)


async def take(connection: asyncpg.Connection[Any], queue: Queue) -> Batch:
    batch = await queue.oldest(connection)
    await connection.execute("DELETE FROM outbox WHERE seq = ANY($1)", batch.numbers)
    if batch.rows:
        queue.passes(batch)
    return batch


async def take_all(connection: asyncpg.Connection[Any], queue: Queue) -> list[tuple[str, int]]:
    """Key and size of each row that is left."""
    read: list[tuple[str, int]] = []
    while (batch := await take(connection, queue)).rows:
        read.extend(named(batch))
    return read


def named(batch: Batch) -> list[tuple[str, int]]:
    return [(row["aggregateid"], len(row["payload"])) for row in batch.rows]


async def test_large_rows_are_read_a_few_at_a_time(bench: Bench) -> None:
    large = 1_000_000
    async with connections(bench, 1) as (connection,):
        await write(connection, "large", rows=20, size=large)
        queue, sizes = Queue(), list[int]()
        while (batch := await take(connection, queue)).rows:
            sizes.append(sum(len(row["payload"]) for row in batch.rows))
    assert sum(sizes) == 20 * large
    assert max(sizes) < BATCH_BYTES + large
    assert len(sizes) == 4


async def test_rows_with_large_headers_are_read_a_few_at_a_time(bench: Bench) -> None:
    """As of records that are redriven: their keys and headers are packed there."""
    large = 1_000_000
    async with connections(bench, 1) as (connection,):
        await write(connection, "small", rows=20)
        await connection.execute("UPDATE outbox SET headers = jsonb_build_object('verbatim', repeat('x', $1))", large)
        queue, lengths = Queue(), list[int]()
        while (batch := await take(connection, queue)).rows:
            lengths.append(len(batch.rows))
            assert batch.is_full
    assert lengths == [5, 5, 5, 5]


async def test_a_row_larger_than_a_batch_is_read_alone(bench: Bench) -> None:
    async with connections(bench, 1) as (connection,):
        await write(connection, "huge", rows=2, size=BATCH_BYTES + 1)
        batch = await take(connection, Queue())
    assert (len(batch.rows), batch.is_full) == (1, True)


@pytest.mark.parametrize("read_before_commit", range(4))
async def test_a_row_that_commits_late_is_read_before_the_next_one_of_its_booking(
    bench: Bench, read_before_commit: int
) -> None:
    """Its number is the lowest; by the time it commits, so many batches of higher numbers were read."""
    async with connections(bench, 2) as (writer, reader):
        late = writer.transaction()
        await late.start()
        await write(writer, "late", size=1)
        queue = Queue()
        await write(reader, "other", rows=3 * BATCH)
        seen = [await take(reader, queue) for _ in range(read_before_commit)]
        await late.commit()
        await write(writer, "late", size=2)
        read = await take_all(reader, queue)
    assert [size for key, size in read if key == "late"] == [1, 2]
    assert len(read) == 3 * BATCH + 2 - sum(len(batch.rows) for batch in seen)


@pytest.mark.parametrize("order", list(itertools.permutations("abc")))
async def test_whatever_the_order_of_commits_every_row_is_read_once_and_each_key_in_order(
    bench: Bench, order: tuple[str, ...]
) -> None:
    """Three writers hold a row each and commit in this order; each writes once more after its commit, and all is read in between."""
    async with connections(bench, 4) as (reader, *writers):
        by_key = {key: (writer, writer.transaction()) for key, writer in zip("abc", writers, strict=True)}
        for key, (writer, transaction) in by_key.items():
            await transaction.start()
            await write(writer, key, size=1)
        queue, read = Queue(), list[tuple[str, int]]()
        for key in order:
            writer, transaction = by_key[key]
            await write(reader, "filler", rows=BATCH + 1)
            batches = [await take(reader, queue)]
            await transaction.commit()
            await write(writer, key, size=2)
            batches += [await take(reader, queue), await take(reader, queue)]
            read += [row for batch in batches for row in named(batch)]
        read += await take_all(reader, queue)
    for key in by_key:
        assert [size for found, size in read if found == key] == [1, 2]
    assert len(read) == 3 * (BATCH + 1) + 6
