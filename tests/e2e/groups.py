"""Where the consumer groups of a system are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.local.environment import SERVICES
from services.chassis.lag import Admin

Offsets: TypeAlias = dict[str, dict[TopicPartition, int]]


@asynccontextmanager
async def consuming(bootstrap: str, **told: Any) -> AsyncIterator[AIOKafkaConsumer]:
    """Closed, too, when it could not be started: aiokafka's own `async with` leaves that open.

    It also passes on the cancellation of a task of its own that had not begun yet, when a consumer ends as soon as it has started.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, **told)
    try:
        await consumer.start()
        yield consumer
    finally:
        try:
            await consumer.stop()
        except asyncio.CancelledError:
            if (ours := asyncio.current_task()) and ours.cancelling():
                raise


@asynccontextmanager
async def administering(bootstrap: str) -> AsyncIterator[Admin]:
    admin = Admin(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def committed(admin: Admin, groups: list[str]) -> Offsets:
    """Where each group that had records is, in the partitions that had them."""
    told = {group: await admin.committed(group) for group in groups}
    read = {
        group: {place: offset for place, offset in offsets.items() if offset > 0} for group, offsets in told.items()
    }
    return {group: places for group, places in read.items() if places}


async def groups_of(admin: Admin, prefix: str) -> list[str]:
    return [name for name, *_ in await admin.list_consumer_groups() if name.startswith(prefix)]


async def all_have_joined(admin: Admin, prefix: str, topics: list[str]) -> bool:
    """Each service has a group of its own name, and one for each of its retry tiers and its dead letters, named like the topic."""
    own = {topic for topic in topics if ".retry." in topic or topic.endswith(".dlt")}
    return own | {prefix + service for service in SERVICES} <= set(await groups_of(admin, prefix))


async def caught_up(admin: Admin, groups: list[str], bootstrap: str) -> bool:
    """Every group has read all there is, in every partition of the topics that its members have: also where it has committed nothing."""
    async with consuming(bootstrap) as consumer:
        return all([await has_read_all(admin, consumer, group) for group in groups])


async def has_read_all(admin: Admin, consumer: AIOKafkaConsumer, group: str) -> bool:
    """Not while it has no members, or they do not have all partitions between them: then nobody knows what it reads."""
    assigned, offsets = await admin.read_partitions(group), await admin.committed(group)
    described = await admin.describe_topics(sorted({place.topic for place in assigned})) if assigned else []
    every = {TopicPartition(topic["topic"], each["partition"]) for topic in described for each in topic["partitions"]}
    ends = await consumer.end_offsets(list(assigned))
    return bool(assigned) and assigned == every and all(offsets.get(place, 0) == end for place, end in ends.items())
