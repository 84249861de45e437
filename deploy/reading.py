"""Reads topics as they are, without a group: no offset is stored, no partition taken from anybody, and no record stops it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from deploy.local.errors import WrongEnvironment
from services.chassis.kafka import KafkaSettings, client

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"

LOOK_MS = 500
CANNOT_BE_READ = b"(the name of a header is not UTF-8: aiokafka cannot read this record)"


@asynccontextmanager
async def read(
    broker: KafkaSettings, topics: Sequence[str], *, from_beginning: bool
) -> AsyncIterator[AsyncIterator[Record]]:
    """Records as they come, without end. Raises `WrongEnvironment` for a topic that is not there."""
    await _refuse_unknown(broker, topics)
    consumer = AIOKafkaConsumer(
        *topics,
        **client(broker),
        auto_offset_reset="earliest" if from_beginning else "latest",  # a seek after the start races with this one
        enable_auto_commit=False,
    )
    try:
        await consumer.start()
        for partition in consumer.assignment():
            await consumer.position(partition)  # asks now, so that "from now on" begins here
        yield _records(consumer)
    finally:
        await consumer.stop()


async def _refuse_unknown(broker: KafkaSettings, topics: Sequence[str]) -> None:
    """A consumer would wait for such a topic, for ever."""
    admin = AIOKafkaAdminClient(**client(broker))
    try:
        await admin.start()
        there = await admin.list_topics()
    finally:
        await admin.close()
    if unknown := [name for name in topics if name not in there]:
        some = ", ".join(sorted(name for name in there if not name.startswith("__"))) or "none"
        raise WrongEnvironment(f"there is no topic {unknown[0]}; there are {some}")


async def _records(consumer: AIOKafkaConsumer) -> AsyncIterator[Record]:
    """In the order of their times as far as one look goes: Kafka itself has an order for each partition only."""
    while True:
        for record in sorted(await _look(consumer), key=lambda record: record.timestamp):
            yield record


async def _look(consumer: AIOKafkaConsumer) -> list[Record]:
    """One record that cannot be decoded makes aiokafka lose what it had in hand: then it is asked again, record by record."""
    before = {partition: await consumer.position(partition) for partition in consumer.assignment()}
    try:
        batches = await consumer.getmany(timeout_ms=LOOK_MS)
    except UnicodeDecodeError:
        for partition, offset in before.items():
            consumer.seek(partition, offset)
        return [record for partition in before for record in await _one_by_one(consumer, partition)]
    return [record for batch in batches.values() for record in batch]


async def _one_by_one(consumer: AIOKafkaConsumer, partition: TopicPartition) -> list[Record]:
    end = (await consumer.end_offsets([partition]))[partition]
    found: list[Record] = []
    while (offset := await consumer.position(partition)) < end:
        try:
            batches = await consumer.getmany(partition, timeout_ms=LOOK_MS, max_records=1)
        except UnicodeDecodeError:
            found.append(_stand_in(partition, offset))
            consumer.seek(partition, offset + 1)
        else:
            found += batches.get(partition, ())
    return found


def _stand_in(partition: TopicPartition, offset: int) -> Record:
    return ConsumerRecord(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=None,
        value=CANNOT_BE_READ,
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=len(CANNOT_BE_READ),
        headers=(),
    )
