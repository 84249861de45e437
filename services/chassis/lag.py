"""What the broker knows of our consumer groups: how far behind each partition is, and whether anyone reads it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from prometheus_client import Gauge

from services.chassis.kafka import KafkaSettings, client
from services.chassis.waiting import to_its_end

log = structlog.get_logger()

ANSWER_SECONDS = 15.0
"""For all answers of one look; later than that, the broker is away."""

LAG = Gauge(
    "courtside_consumer_lag_records",
    "Records that the group has not committed; those of a retry tier may not be due yet. Every worker tells of all: take the maximum",
    ["group", "topic", "partition"],
)


@dataclass(frozen=True, slots=True)
class Standing:
    """Of a group at one partition. `end` is the offset of the next record to come."""

    partition: TopicPartition
    end: int
    lag: int
    is_read: bool
    """A member of the group has it, by the broker's account."""


class Admin(AIOKafkaAdminClient):  # type: ignore[misc]  # aiokafka has no types
    """Heeds the errors of a group as a whole, which aiokafka's own methods pass over.

    Without that, a coordinator that is still loading looks like a group that has committed nothing and has no members.
    """

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Raises `KafkaError`."""
        answer = await self._send_request(OffsetFetchRequest(group, None), await self.find_coordinator(group))
        _raise_for(answer.error_code, group)
        found: dict[TopicPartition, int] = {}
        for topic, partitions in answer.topics:
            for partition, offset, _, code in partitions:
                _raise_for(code, f"{group} at {topic}/{partition}")
                found[TopicPartition(topic, partition)] = offset
        return found

    async def read_partitions(self, group: str) -> set[TopicPartition]:
        """None while the group rebalances: its members have no assignment then. Raises `KafkaError`."""
        (answer,) = await self.describe_consumer_groups([group])
        (told,) = answer.to_object()["groups"]
        _raise_for(told["error_code"], group)
        assigned = (member["member_assignment"] for member in told["members"])
        read = (ConsumerProtocolMemberAssignment.decode(encoded).partitions() for encoded in assigned if encoded)
        return {partition for partitions in read for partition in partitions}


def _raise_for(code: int, what: str) -> None:
    if code:
        raise for_code(code)(what)


@dataclass(frozen=True)
class Observer:
    """Asks over connections of its own: those of a consumer that hangs may hang too."""

    admin: Admin
    offsets: AIOKafkaConsumer

    async def standings(self, group: str, topics: Sequence[str]) -> list[Standing]:
        """And show them on the gauge. Raises `KafkaError`."""
        partitions = _partitions(await self.admin.describe_topics(list(topics)))
        first, end, committed, read = await asyncio.gather(
            self.offsets.beginning_offsets(partitions),
            self.offsets.end_offsets(partitions),
            self.admin.committed(group),
            self.admin.read_partitions(group),
        )
        found = [_standing(spot, first, end, committed, is_read=spot in read) for spot in partitions]
        for standing in found:
            LAG.labels(group, standing.partition.topic, standing.partition.partition).set(standing.lag)
        return found


async def has_caught_up(settings: KafkaSettings, groups: Mapping[str, Sequence[str]]) -> bool:
    """Have these groups, given with their topics, committed every record that there is? No, too, when the broker does not tell."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS), observing(settings, "courtside-observer") as observer:
            told = [await observer.standings(group, topics) for group, topics in groups.items()]
    except (KafkaError, TimeoutError, OSError) as error:
        log.warning("whether all was heard is not known", error=type(error).__name__)
        return False
    return not any(standing.lag for standings in told for standing in standings)


@asynccontextmanager
async def observing(settings: KafkaSettings, client_id: str) -> AsyncIterator[Observer]:
    """Raises `KafkaError` when the broker is away."""
    name = {"client_id": client_id}
    async with AsyncExitStack() as stack:
        admin = Admin(**client(settings), **name)
        stack.push_async_callback(admin.close)
        await to_its_end(admin.start())
        offsets = AIOKafkaConsumer(**client(settings), **name)
        stack.push_async_callback(offsets.stop)
        await to_its_end(offsets.start())
        yield Observer(admin, offsets)


def _partitions(topics: Iterable[Mapping[str, Any]]) -> list[TopicPartition]:
    return [TopicPartition(topic["topic"], found["partition"]) for topic in topics for found in topic["partitions"]]


def _standing(
    spot: TopicPartition,
    first: Mapping[Any, int],
    end: Mapping[Any, int],
    committed: Mapping[Any, int],
    *,
    is_read: bool,
) -> Standing:
    """What retention has taken away is not behind us any more."""
    reached = max(committed.get(spot, 0), first[spot])
    return Standing(spot, end[spot], max(0, end[spot] - reached), is_read)
