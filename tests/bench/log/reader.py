"""A consumer that does nothing but look at its clock: `python -m tests.bench.log.reader BOOTSTRAP TOPIC`.

Told a number, it answers when so many more events have come, with the moment of each by its id: JSON, in seconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import sys
import time

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from courtside_contracts.topics import BOOKING_EVENTS


async def main(bootstrap: str, topic: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(BOOKING_EVENTS.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:  # only now the place is known, and nothing that comes later is passed over
        await consumer.position(partition)
    print("ready", flush=True)  # noqa: T201
    while told := await asyncio.to_thread(sys.stdin.readline):
        print(orjson.dumps(await read(consumer, int(told))).decode(), flush=True)  # noqa: T201
    await consumer.stop()


async def read(consumer: AIOKafkaConsumer, events: int) -> dict[str, float]:
    seen: dict[str, float] = {}
    while len(seen) < events:
        batches = await consumer.getmany(timeout_ms=1000)
        now = time.monotonic()
        for batch in batches.values():
            seen |= {dict(record.headers)["ce_id"].decode(): now for record in batch}
    return seen


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
