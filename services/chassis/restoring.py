"""After a database was restored to an earlier moment: what has happened since is on the topics, and is heard again.

`python -m services.<name> restored`, once, while no process of the service runs. Safe to run again. What was handled before that
moment is in the restored inbox, so that to hear it again does nothing; what was handled since is not, and is handled anew.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import CommitFailedError
from aiokafka.structs import OffsetAndMetadata
from sqlalchemy import text

from courtside_contracts.topics import Topic, dead_letter_topic
from services.chassis.database import Database
from services.chassis.kafka import client
from services.chassis.settings import Settings
from services.chassis.subscribing import Record

MARGIN = timedelta(days=1)
"""Heard again from so long before the restored moment: more than consumers may have been behind. The inbox knows the rest."""
LAST_KNOWN = text(
    "SELECT max(at) FROM (SELECT max(handled_at) AS at FROM inbox UNION ALL SELECT max(created_at) FROM outbox) AS known"
)


class NotRestored(Exception):
    """Nothing was changed; the sentence says what to do first."""


class StillRunning(NotRestored):
    """A process of the service runs, and would go on from where it is."""


async def run(settings: Settings, main: Sequence[Topic] = (), projections: Sequence[Topic] = ()) -> None:
    """The whole of it, for a service whose own topics tell nothing that its database must know."""
    database = await Database.open(settings)
    try:
        since = await last_known(database)
    finally:
        await database.close()
    await hear_again(settings, since, main, projections)


async def hear_again(
    settings: Settings, since: datetime | None, main: Sequence[Topic] = (), projections: Sequence[Topic] = ()
) -> None:
    """Set the service's groups back: that of its work, that of its projections, and that which mirrors its dead letters.

    A group whose effects are out in the world (a mail was sent) is left out by its service. Raises `StillRunning`.
    """
    group, letters = settings.topic_prefix + settings.service, dead_letter_topic(settings.service)
    mirror = settings.topic_prefix + letters.name
    groups = {group: main, f"{group}.projections": projections, mirror: (letters,)}
    for name, topics in groups.items():
        moved = await _set_back(settings, name, topics, since)
        print(f"{name}: {moved} partitions set back to {since or 'the beginning'}", file=sys.stderr)  # noqa: T201


async def last_known(database: Database) -> datetime | None:
    """From when on the topics must be heard: the newest moment that the database tells of, and `MARGIN` before it."""
    async with database.engine.connect() as connection:
        newest: datetime | None = (await connection.execute(LAST_KNOWN)).scalar_one()
    return newest - MARGIN if newest else None


async def told(settings: Settings, topics: Sequence[Topic], since: datetime | None) -> AsyncIterator[Record]:
    """What lies on these topics from `since` up to now, in the order of each partition."""
    async with AIOKafkaConsumer(**client(settings), enable_auto_commit=False) as consumer:
        partitions = await _partitions(settings, topics)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for spot, offset in (await _offsets_at(consumer, partitions, since)).items():
            consumer.seek(spot, offset)
        while [spot for spot in partitions if await consumer.position(spot) < ends[spot]]:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    yield record


async def _set_back(settings: Settings, group: str, topics: Sequence[Topic], since: datetime | None) -> int:
    """Back, never forth: a partition that the group had not come so far in stays where it is."""
    async with _of(settings, group) as consumer:
        partitions = await _partitions(settings, topics)
        consumer.assign(partitions)
        wanted = await _offsets_at(consumer, partitions, since)
        reached = {spot: await consumer.committed(spot) for spot in partitions}
        back = {spot: wanted[spot] for spot, offset in reached.items() if offset is not None and offset > wanted[spot]}
        if back:
            await consumer.commit({spot: OffsetAndMetadata(offset, "") for spot, offset in back.items()})
        return len(back)


@asynccontextmanager
async def _of(settings: Settings, group: str) -> AsyncIterator[AIOKafkaConsumer]:
    try:
        async with AIOKafkaConsumer(**client(settings), group_id=group, enable_auto_commit=False) as consumer:
            yield consumer
    except CommitFailedError as error:
        raise StillRunning(f"somebody reads in the group {group}: stop every process of {settings.service}") from error


async def _partitions(settings: Settings, topics: Sequence[Topic]) -> list[TopicPartition]:
    """All topics are asked for, since asking by name can create one."""
    wanted = {settings.topic_prefix + topic.name for topic in topics}
    async with _administering(settings) as admin:
        there = [topic for topic in await admin.describe_topics() if topic["topic"] in wanted]
    if missing := wanted - {topic["topic"] for topic in there}:
        raise NotRestored(f"the broker has no {', '.join(sorted(missing))}, or does not show it to this user")
    return [TopicPartition(topic["topic"], found["partition"]) for topic in there for found in topic["partitions"]]


@asynccontextmanager
async def _administering(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(**client(settings))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def _offsets_at(
    consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition], since: datetime | None
) -> Mapping[TopicPartition, int]:
    first = await consumer.beginning_offsets(partitions)
    if since is None or not partitions:
        return dict(first)
    ends = await consumer.end_offsets(partitions)
    at = await consumer.offsets_for_times(dict.fromkeys(partitions, int(since.timestamp() * 1000)))
    return {spot: found.offset if (found := at[spot]) else ends[spot] for spot in partitions}
