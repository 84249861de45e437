"""A consumer that does nothing but look at its clock: `python -m tests.bench.log.reader BOOTSTRAP TOPIC`.

Told a list of ids, it answers when all of these events have come, with the moment of each by its id:
JSON, in seconds of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from courtside_contracts.topics import BOOKING_EVENTS
from tests.bench.log.waiting import until


async def main(bootstrap: str, topic: str) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(BOOKING_EVENTS.partitions)]
    consumer.assign(partitions)
    await consumer.seek_to_end(*partitions)
    for partition in partitions:  # only now the place is known, and nothing that comes later is passed over
        await consumer.position(partition)
    seen: dict[str, float] = {}
    reading = asyncio.create_task(read(consumer, seen))
    print("ready", flush=True)  # noqa: T201
    while told := await asyncio.to_thread(sys.stdin.readline):
        answer = await moments(seen, orjson.loads(told))
        print(orjson.dumps(answer).decode(), flush=True)  # noqa: T201
    reading.cancel()
    await consumer.stop()


async def read(consumer: AIOKafkaConsumer, seen: dict[str, float]) -> None:
    """Each event's first arrival: a connector that was set anew may repeat some."""
    while True:
        batches = await consumer.getmany(timeout_ms=1000)
        now = time.monotonic()
        for batch in batches.values():
            for record in batch:
                seen.setdefault(dict(record.headers)["ce_id"].decode(), now)


async def moments(seen: Mapping[str, float], wanted: Sequence[str]) -> dict[str, float]:
    async def look() -> bool:
        return all(event_id in seen for event_id in wanted)

    await until(f"{len(wanted)} events", look, bool)
    return {event_id: seen[event_id] for event_id in wanted}


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2]))
