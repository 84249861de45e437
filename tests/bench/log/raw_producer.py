"""The bound of any relay written with aiokafka: the same bytes from memory, as fast as its producer takes them.

`python -m tests.bench.log.raw_producer BOOTSTRAP FROM_TOPIC TO_TOPIC ROWS`: reads what a relay has sent, says `ready`, and sends all of it
at each line that it is told, then says `sent`.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

Sent = tuple[bytes, bytes, list[tuple[str, bytes]]]


async def main(bootstrap: str, source: str, target: str, rows: int) -> None:
    records = await read(bootstrap, source, rows)
    # As the relay's own producer is set.
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_batch_size=131_072)
    await producer.start()
    await producer.partitions_for(target)
    print("ready", flush=True)  # noqa: T201
    while await asyncio.to_thread(sys.stdin.readline):
        acknowledged = [
            await producer.send(target, value=value, key=key, headers=headers) for key, value, headers in records
        ]
        await asyncio.gather(*acknowledged)
        print("sent", flush=True)  # noqa: T201
    await producer.stop()


async def read(bootstrap: str, topic: str, rows: int) -> list[Sent]:
    consumer: Any = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Sent] = []
    while len(found) < rows:
        for batch in (await consumer.getmany(timeout_ms=1000)).values():
            found += [(record.key, record.value, list(record.headers)) for record in batch]
    await consumer.stop()
    return found[:rows]


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
