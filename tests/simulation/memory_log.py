"""Kafka in memory: topics of partitions, offsets of groups, and a producer. As on the real one, a record may be there twice.

Left out on purpose: replication, compaction and retention. What goes wrong between us and the broker is a matter of other tests.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from aiokafka import ConsumerRecord

from services.chassis.subscribing import Record
from tests.simulation.pinning import SimulatedClock
from tests.simulation.turns import checkpoint

PARTITIONS = 2
Place = tuple[str, int]


@dataclass
class MemoryLog:
    clock: SimulatedClock
    partitions: dict[Place, list[Record]] = field(default_factory=dict)
    in_order: list[Record] = field(default_factory=list)
    """All records of all topics, as they were appended."""
    offsets: dict[tuple[str, Place], int] = field(default_factory=dict)
    """Of the next record that a group has not committed."""

    def append(self, topic: str, key: bytes | None, value: bytes | None, headers: Iterable[Any]) -> Record:
        place = (topic, zlib.crc32(key or b"") % PARTITIONS)
        records = self.partitions.setdefault(place, [])
        at = int(self.clock.at.timestamp() * 1000)
        size = (len(key or b""), len(value or b""))
        record: Record = ConsumerRecord(*place, len(records), at, 1, key, value, None, *size, tuple(headers))
        records.append(record)
        self.in_order.append(record)
        return record

    def append_copy(self, record: Record) -> Record:
        """As a producer does that did not hear the broker's acknowledgement."""
        return self.append(record.topic, record.key, record.value, record.headers)

    def after(self, group: str, place: Place, number: int) -> list[Record]:
        """The next ones that the group has not committed."""
        begin = self.offsets.get((group, place), 0)
        return self.partitions.get(place, [])[begin : begin + number]

    def commit(self, group: str, place: Place, offset: int) -> None:
        self.offsets[group, place] = offset

    def go_back(self, group: str, place: Place, number: int) -> None:
        """As after a rebalance that came before the commit."""
        self.offsets[group, place] = max(0, self.offsets.get((group, place), 0) - number)

    def places(self, topics: Iterable[str]) -> Iterator[Place]:
        return ((topic, number) for topic in topics for number in range(PARTITIONS))

    def has_more(self, group: str, place: Place) -> bool:
        return len(self.partitions.get(place, ())) > self.offsets.get((group, place), 0)

    def lag(self, group: str, topics: Iterable[str]) -> int:
        places = self.places(topics)
        return sum(len(self.partitions.get(place, ())) - self.offsets.get((group, place), 0) for place in places)

    def of(self, topic: str) -> list[Record]:
        """In the order of appending, copies too."""
        return [record for record in self.in_order if record.topic == topic]


@dataclass(frozen=True)
class MemoryProducer:
    """In the place of aiokafka's, for the relay and for what is routed on."""

    log: MemoryLog
    told: Callable[[Record], None]

    async def send(self, topic: str, *, value: bytes | None, key: bytes | None, headers: Any) -> asyncio.Future[Record]:
        await checkpoint(f"send to {topic}")
        record = self.log.append(topic, key, value, headers)
        self.told(record)
        acknowledged: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        acknowledged.set_result(record)
        return acknowledged

    async def send_and_wait(self, topic: str, **parcel: Any) -> Record:
        return await (await self.send(topic, **parcel))


def due_at(record: Record, delay_seconds: float) -> float:
    """Seconds since 1970."""
    return float(record.timestamp / 1000 + delay_seconds)
