"""Every record of every topic of the run, from offset 0 to its end, and how far each consumer group has come."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.checker.errors import CouldNotCheck
from tests.faults.checker.records import Place, Record

POLL_MS = 1_000
FETCH_BYTES = 8 * 1_048_576


@dataclass
class Scan:
    records: list[Record] = field(default_factory=list)
    ends: dict[Place, int] = field(default_factory=dict)
    committed: dict[str, dict[Place, int]] = field(default_factory=dict)


async def scan(bootstrap: str, prefix: str) -> Scan:
    """Raises `CouldNotCheck`."""
    try:
        async with AsyncExitStack() as stack:
            admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
            await admin.start()
            stack.push_async_callback(admin.close)
            consumer = AIOKafkaConsumer(
                bootstrap_servers=bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=FETCH_BYTES,
            )
            await consumer.start()
            stack.push_async_callback(consumer.stop)
            found = Scan(committed=await committed(admin, prefix))
            await _read_all(admin, consumer, prefix, found)
            return found
    except (KafkaError, OSError) as error:
        raise CouldNotCheck(f"Kafka at {bootstrap} does not answer: {error!r}") from error


async def committed(admin: AIOKafkaAdminClient, prefix: str) -> dict[str, dict[Place, int]]:
    groups = [name for name, *_ in await admin.list_consumer_groups() if name.startswith(prefix)]
    told = {group: await admin.list_consumer_group_offsets(group) for group in groups}
    return {
        group.removeprefix(prefix): {
            (place.topic.removeprefix(prefix), place.partition): offset.offset
            for place, offset in places.items()
            if offset.offset >= 0
        }
        for group, places in told.items()
    }


async def partitions(admin: AIOKafkaAdminClient, prefix: str) -> list[TopicPartition]:
    names = [name for name in await admin.list_topics() if name.startswith(prefix) and not name.startswith("__")]
    described = await admin.describe_topics(sorted(names)) if names else []
    return [TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]]


async def _read_all(admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, prefix: str, found: Scan) -> None:
    places = await partitions(admin, prefix)
    if not places:
        raise CouldNotCheck(f"there are no topics with the prefix {prefix!r}")
    consumer.assign(places)
    await consumer.seek_to_beginning(*places)
    ends: Mapping[TopicPartition, int] = await consumer.end_offsets(places)
    found.ends = {(place.topic.removeprefix(prefix), place.partition): end for place, end in ends.items()}
    while not all([await consumer.position(place) >= ends[place] for place in places]):
        for batch in (await consumer.getmany(timeout_ms=POLL_MS)).values():
            found.records += [_record(record, prefix) for record in batch]


def _record(told: Any, prefix: str) -> Record:
    return Record(
        told.topic.removeprefix(prefix),
        told.partition,
        told.offset,
        datetime.fromtimestamp(told.timestamp / 1000, UTC),
        told.key,
        told.value,
        tuple(told.headers),
    )
