"""Jobs of the clock. Each fires once at its time, however many workers run, and what was missed in a pause is done at the next firing:
a job asks for all that is due by now, never for what became due since the last time.
"""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import structlog
from prometheus_client import Counter
from sqlalchemy import Column, DateTime, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import insert

from services.chassis.database import NAMING
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory
from services.chassis.waiting import happens

log = structlog.get_logger()

METADATA = MetaData(naming_convention=NAMING)
JITTER = 0.1
"""Workers that start together do not ask together."""

crons = Table(
    "crons",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("fired_at", DateTime(timezone=True), nullable=False),
)

DONE = Counter("courtside_cron_rows_total", "What jobs of the clock have worked off", ["cron"])


@dataclass(frozen=True)
class Periodic(ABC):
    """Something that is to be done every so often, by one worker each time."""

    name: str
    every: timedelta

    async def keep(self, unit_of_work: UnitOfWorkFactory, stopping: asyncio.Event) -> None:
        """Fire until told to stop. A firing that fails is logged, and the next one does its work."""
        while not stopping.is_set():
            try:
                await self.fire(unit_of_work)
            except Exception as error:
                log.warning("cron failed", cron=self.name, exc_info=error)
            pause = self.every.total_seconds() * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret
            await happens(stopping, pause)

    @abstractmethod
    async def fire(self, unit_of_work: UnitOfWorkFactory) -> int:
        """Everything that is due, if it is this job's time and no other worker was faster. How many rows were done."""

    async def _claim(self, work: UnitOfWork) -> bool:
        mark = insert(crons).values(name=self.name, fired_at=work.now)
        due = crons.c.fired_at <= work.now - self.every * (1 - 2 * JITTER)
        claimed = mark.on_conflict_do_update(index_elements=["name"], set_={"fired_at": work.now}, where=due)
        return (await work.session.scalar(claimed.returning(crons.c.name))) is not None


@dataclass(frozen=True)
class Cron(Periodic):
    """`run` does one batch in the given transaction and says how many it did; `batch` of them means that there may be more."""

    batch: int
    run: Callable[[UnitOfWork], Awaitable[int]]
    may_fire: Callable[[], Awaitable[bool]] | None = None
    """Asked each time, outside of any transaction. Where it says no, the job waits for its next time."""

    async def fire(self, unit_of_work: UnitOfWorkFactory) -> int:
        """The mark is part of the first batch's commit: a firing that fails was none."""
        if self.may_fire and not await self.may_fire():
            return 0
        async with unit_of_work() as work:
            if not await self._claim(work):
                return 0
            done = total = await self.run(work)
        while done >= self.batch:
            async with unit_of_work() as work:
                done = await self.run(work)
            total += done
        DONE.labels(self.name).inc(total)
        return total


@dataclass(frozen=True)
class Errand(Periodic):
    """A job that calls a provider, and so has transactions of its own. The mark is committed before it begins: a firing that fails, or
    that is broken off when the process is told to stop, is made up for by the next.
    """

    run: Callable[[], Awaitable[int]]
    afterwards: Callable[[], Awaitable[None]] | None = None
    """In every worker each time, whoever fired."""

    async def keep(self, unit_of_work: UnitOfWorkFactory, stopping: asyncio.Event) -> None:
        """It may take minutes, and a process that was told to stop has seconds."""
        keeping = asyncio.create_task(super().keep(unit_of_work, stopping))
        await stopping.wait()
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)

    async def fire(self, unit_of_work: UnitOfWorkFactory) -> int:
        try:
            async with unit_of_work() as work:
                mine = await self._claim(work)
            total = await self.run() if mine else 0
        finally:
            if self.afterwards:
                await self.afterwards()
        DONE.labels(self.name).inc(total)
        return total
