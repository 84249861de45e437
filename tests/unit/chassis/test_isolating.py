"""What a guarded consumer asks of aiokafka: seldom when nothing comes, and from where it was when something cannot be read."""

from __future__ import annotations

from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import CorruptRecordException

from services.chassis.isolating import QUIET_MS, isolate

HEALTHY, FAULTY = TopicPartition("bookings", 0), TopicPartition("bookings", 1)
COMMITTED, READ = 7, 12


class Consumer:
    """Reads ahead of what its group has committed, and meets a record that nobody can decode in one partition."""

    def __init__(self) -> None:
        self.positions = {HEALTHY: COMMITTED}
        self.waits_ms: list[int] = []
        self.stopped: set[TopicPartition] = set()

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def paused(self) -> set[TopicPartition]:
        return self.stopped

    def pause(self, partition: TopicPartition) -> None:
        self.stopped.add(partition)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.positions[partition] = offset

    async def position(self, partition: TopicPartition) -> int:
        return self.positions[partition]

    async def committed(self, partition: TopicPartition) -> int:
        return COMMITTED + int(partition.partition)

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        del partitions, max_records
        self.waits_ms.append(timeout_ms)
        return {}


async def test_a_consumer_with_nothing_to_do_waits_long_for_its_first_record() -> None:
    consumer = Consumer()
    isolate(consumer, lambda *_: None)
    assert await consumer.getmany(timeout_ms=20, max_records=500) == {}
    assert consumer.waits_ms == [QUIET_MS]


async def test_a_partition_that_came_while_the_poll_waited_is_read_from_where_its_group_was() -> None:
    consumer, faults = Consumer(), []

    async def rebalanced(*partitions: TopicPartition, timeout_ms: int = 0, max_records: int | None = None) -> Any:
        del timeout_ms, max_records
        if partitions == (HEALTHY,):
            return {}
        if not partitions:
            consumer.positions |= {HEALTHY: READ, FAULTY: READ}
        raise CorruptRecordException

    consumer.getmany = rebalanced  # type: ignore[method-assign]
    isolate(consumer, lambda partition, offset: faults.append((partition, offset)))
    assert await consumer.getmany(timeout_ms=20) == {}
    assert faults == [(FAULTY, COMMITTED + 1)]
    assert consumer.positions == {HEALTHY: COMMITTED, FAULTY: COMMITTED + 1}
