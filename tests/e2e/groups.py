"""Where the consumer groups of a system are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

Offsets: TypeAlias = dict[str, dict[TopicPartition, int]]


@asynccontextmanager
async def administering(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def committed(admin: AIOKafkaAdminClient, groups: list[str]) -> Offsets:
    """Where each group that had records is, in the partitions that had them."""
    told = {group: await admin.list_consumer_group_offsets(group) for group in groups}
    read = {
        group: {place: found.offset for place, found in offsets.items() if found.offset > 0}
        for group, offsets in told.items()
    }
    return {group: places for group, places in read.items() if places}


async def caught_up(admin: AIOKafkaAdminClient, groups: list[str], bootstrap: str) -> bool:
    """Every group has read all there is: a commit of ours names all partitions that a member has."""
    offsets = (await committed(admin, groups)).values()
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
        ends = await consumer.end_offsets([place for places in offsets for place in places])
    return all(ends[place] == offset for places in offsets for place, offset in places.items())
