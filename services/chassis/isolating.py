"""A record that aiokafka itself cannot decode costs none of its neighbours: its partition is paused, and everybody is told.

`getmany` drops what it had drained from healthy partitions when one record of another raises, with their positions advanced: the next
commit would lose them. So the positions are put back, and the partition at fault is found and paused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import (
    ConsumerStoppedError,
    CorruptRecordException,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
)
from prometheus_client import Gauge

log = structlog.get_logger()

AT_FAULT = Gauge(
    "courtside_consumer_partitions_at_fault",
    "Partitions that this process has paused, each at a record that the client library cannot decode",
    ["group"],
)

QUIET_MS = 1_000
"""How long one poll waits where there is nothing; it ends with the first record. FastStream's own wait is as short as what
it sleeps after an empty poll, and a third of what an idle worker did was to poll fifty times a second in each of its consumers."""

Found: TypeAlias = "Callable[[TopicPartition, int], None]"
"""Gets the partition that is paused, and the offset from which on it was read."""


class PartitionsAtFault(Exception):
    """What stands still, and since which offset."""


@dataclass
class Faults:
    """Where the consumers of one process stand still."""

    _at: dict[tuple[str, TopicPartition], int] = field(default_factory=dict)

    def add(self, group: str, partition: TopicPartition, offset: int) -> None:
        self._at[group, partition] = offset
        self._show(group)

    def forget(self, group: str, partitions: Iterable[TopicPartition]) -> None:
        for partition in partitions:
            self._at.pop((group, partition), None)
        self._show(group)

    def require_none(self) -> None:
        """Raises `PartitionsAtFault`."""
        told = [
            f"{group} in {spot.topic}/{spot.partition} from offset {at} on" for (group, spot), at in self._at.items()
        ]
        if told:
            raise PartitionsAtFault(
                f"stand still at records that cannot be decoded: {'; '.join(told)}. See docs/operations.md, Partitions at fault"
            )

    def _show(self, group: str) -> None:
        """Zero too: an alert must see the difference between none and nobody who counts."""
        AT_FAULT.labels(group).set(sum(of == group for of, _ in self._at))


def isolate(consumer: AIOKafkaConsumer, found: Found) -> None:
    getmany = consumer.getmany

    async def safe(*partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        positions: dict[TopicPartition, int] = {}
        try:
            positions = {partition: await consumer.position(partition) for partition in consumer.assignment()}
            return await getmany(*partitions, timeout_ms=max(timeout_ms, QUIET_MS), max_records=max_records)
        except (ConsumerStoppedError, IllegalStateError):
            raise
        except Exception as error:
            _tell_of_refusal(error)
            await _put_back(consumer, positions)
            if not _undecodable(error):
                raise  # trouble with the group or the broker: FastStream logs it and waits 5 s
            await _pause_at_fault(consumer, getmany, positions, found)
            return {}

    consumer.getmany = safe


async def _put_back(consumer: AIOKafkaConsumer, positions: dict[TopicPartition, int]) -> None:
    """To where this poll began; a partition that came meanwhile, to where its group was. All that is read twice is handled once."""
    for partition in consumer.assignment() & positions.keys():
        consumer.seek(partition, positions[partition])
    for partition in consumer.assignment() - positions.keys():
        positions[partition] = await consumer.committed(partition) or 0
        consumer.seek(partition, positions[partition])


def _tell_of_refusal(error: Exception) -> None:
    """FastStream goes on asking; a person must grant the right."""
    if isinstance(error, TopicAuthorizationFailedError | GroupAuthorizationFailedError):
        log.error("the broker refuses this consumer: see `courtside topics acls`", error=str(error))


async def _pause_at_fault(
    consumer: AIOKafkaConsumer, getmany: Any, positions: dict[TopicPartition, int], found: Found
) -> None:
    for partition, offset in positions.items():
        if partition not in consumer.assignment() or partition in consumer.paused():
            continue
        try:
            await getmany(partition, timeout_ms=1000)
        except Exception as error:
            if not _undecodable(error):
                raise
            consumer.pause(partition)
            found(partition, offset)
            log.exception(
                "partition paused at a record that cannot be decoded", partition=str(partition), offset=offset
            )
        if partition in consumer.assignment():
            consumer.seek(partition, offset)


def _undecodable(error: Exception) -> bool:
    return not isinstance(error, KafkaError) or isinstance(error, CorruptRecordException | UnsupportedCodecError)
