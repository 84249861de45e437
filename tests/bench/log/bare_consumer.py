"""The bounds of any consumer written with aiokafka: the same events, read, decoded, and noted in the same inbox, and nothing else.

`python -m tests.bench.log.bare_consumer BOOTSTRAP TOPIC GROUP DATABASE_URL batches|messages`: a transaction and a commit of the offsets for
each batch, or for each single message, until it is told to end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from courtside_contracts.booking import BookingHeld

BATCH = 500
"""As the worker's."""
CLAIM = """
INSERT INTO inbox (consumer_group, event_id) SELECT 'bare', unnest($1::text[]) ON CONFLICT DO NOTHING RETURNING event_id
"""

Records = Sequence["ConsumerRecord[bytes, bytes]"]


async def main(bootstrap: str, topic: str, group: str, database_url: str, by: str) -> None:
    connection = await asyncpg.connect(database_url)
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    print("ready", flush=True)  # noqa: T201
    consuming = asyncio.create_task(consume(consumer, connection, in_batches if by == "batches" else one_by_one))
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    await asyncio.wait([consuming, ended], return_when=asyncio.FIRST_COMPLETED)
    if consuming.done():
        consuming.result()
    consuming.cancel()
    await consumer.stop()


async def consume(consumer: AIOKafkaConsumer, connection: asyncpg.Connection[Any], deliver: Any) -> None:
    async for records in deliver(consumer):
        claimed = [dict(record.headers)["ce_id"].decode() for record in records]
        for record in records:
            BookingHeld.model_validate_json(record.value or b"")
        async with connection.transaction():  # an effect without one would not be there once
            await connection.execute(CLAIM, claimed)
        await consumer.commit()


async def in_batches(consumer: AIOKafkaConsumer) -> AsyncIterator[Records]:
    while True:
        batches = await consumer.getmany(timeout_ms=1000, max_records=BATCH)
        if records := [record for batch in batches.values() for record in batch]:
            yield records


async def one_by_one(consumer: AIOKafkaConsumer) -> AsyncIterator[Records]:
    while True:
        yield [await consumer.getone()]


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:6]))
