"""The crash-loop guard: a record that kills its process raises nothing, so what was begun is written down before it is handled.

Only the first batch of each partition in a process's life is written down, since that is where a killer comes again: the process before
died in it, and its offset was not committed. A batch that two other processes began and did not end is gone through carefully, one
record at a time, each counted on its own. Healthy traffic costs nothing: two statements for each partition that a process takes up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text
from sqlalchemy.dialects.postgresql import UUID as PG_UUID

from services.chassis.crash_points import reach
from services.chassis.database import CHASSIS, Database
from services.chassis.retrying import Fatal
from services.chassis.subscribing import Record

STARTS = 5
"""A healthy record shares the fate of its process now and then: killed by hand, out of memory. Hardly five times in a row."""
TOGETHER = 2
"""Of these, so many as a batch: most deaths have nothing to do with what was read, and to go carefully is slow."""

delivery_attempts = Table(
    "delivery_attempts",
    CHASSIS,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("alone", Boolean, primary_key=True),
    Column("process", PG_UUID(as_uuid=True), nullable=False),
    Column("starts", Integer, nullable=False),
)
"""What is under way and did not end yet: a batch by its first record, or a record `alone`. Empty but for restarts."""

BEGIN = """
INSERT INTO delivery_attempts AS known (topic, partition, "offset", alone, process, starts)
SELECT *, $4, $5, $6 FROM unnest($1::text[], $2::int[], $3::bigint[])
ON CONFLICT (topic, partition, "offset", alone) DO UPDATE
SET starts = known.starts + (known.process <> excluded.process)::int, process = excluded.process
RETURNING starts
"""
"""A process counts once: a batch that it repeats, because the database was away, is no crash."""

END = """
DELETE FROM delivery_attempts USING unnest($1::text[], $2::int[]) AS ended (topic, partition)
WHERE delivery_attempts.topic = ended.topic AND delivery_attempts.partition = ended.partition
"""

END_ALONE = 'DELETE FROM delivery_attempts WHERE topic = $1 AND partition = $2 AND "offset" = $3 AND alone'

Place: TypeAlias = tuple[str, int]


class CrashLoop(Fatal):
    """Each process that began this record died of it."""


@dataclass
class Attempts:
    database: Database
    process: UUID = field(default_factory=uuid4)
    known: set[Place] = field(default_factory=set)
    """Partitions of which this process has ended a batch."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def begin(self, records: Sequence[Record]) -> bool:
        """Whether to go through this batch carefully: `TOGETHER` others began it, and did not end it. Raises `NoDatabase`."""
        first: dict[Place, Record] = {}
        for record in records:
            first.setdefault((record.topic, record.partition), record)
        fresh = [record for place, record in first.items() if place not in self.known]
        return max(await self._count(fresh, alone=False), default=0) > TOGETHER

    @asynccontextmanager
    async def alone(self, record: Record) -> AsyncIterator[None]:
        """One record at a time in this process, so that it is known which one killed it. Raises `CrashLoop` when that was this one."""
        async with self.turn:
            (starts,) = await self._count([record], alone=True)
            if starts > STARTS:
                # Its row stays until the batch has ended: another killer behind it would bring it back.
                raise CrashLoop(f"begun {STARTS} times, and no process lived to end it")
            yield
            await self._forget(END_ALONE, record.topic, record.partition, record.offset)

    async def end(self, records: Sequence[Record]) -> None:
        """All were handled or routed on."""
        ended = {(record.topic, record.partition) for record in records} - self.known
        if ended:
            await self._forget(END, *map(list, zip(*ended, strict=True)))
            self.known |= ended

    async def _count(self, records: Sequence[Record], *, alone: bool) -> list[int]:
        """How often each was begun. A record alone was begun before, with the batch that made us careful."""
        if not records:
            return []
        places = zip(*((record.topic, record.partition, record.offset) for record in records), strict=True)
        reach("attempt.unwritten")
        rows = await self.database.fetch(BEGIN, *map(list, places), alone, self.process, TOGETHER + 1 if alone else 1)
        reach("attempt.begun")
        return [row["starts"] for row in rows]

    async def _forget(self, statement: str, *ended: object) -> None:
        reach("attempt.handled")
        await self.database.fetch(statement, *ended)
        reach("attempt.ended")
