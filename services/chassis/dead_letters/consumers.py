"""Kafka in: the service's own dead-letter topic, record by record into the desk's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.dead_letters import mutations
from services.chassis.dead_letters.reading import read
from services.chassis.subscribing import Record
from services.chassis.unit_of_work import UnitOfWorkFactory

BATCH = 50
"""Rows of one transaction: with records of a megabyte each, what one fetch of a partition holds, and no more in memory."""


@dataclass(frozen=True)
class Mirror:
    """The rows are committed before the offset, so a crash repeats a batch, and a row's place on its topic is unique."""

    unit_of_work: UnitOfWorkFactory
    topic_prefix: str

    async def handle_batch(self, records: Sequence[Record]) -> None:
        async with self.unit_of_work() as work:
            await mutations.mirror(work, [read(record, self.topic_prefix, work.now) for record in records])
