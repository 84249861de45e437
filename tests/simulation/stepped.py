"""The two ways into a database, with a checkpoint before each: whoever wants a transaction waits for its turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.chassis.database import Database
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory
from tests.simulation.databases import keep_time
from tests.simulation.turns import checkpoint


class SteppedDatabase(Database):
    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        await checkpoint("statement")
        return await super().fetch(statement, *arguments)


@dataclass(frozen=True)
class SteppedUnitOfWork(UnitOfWorkFactory):
    """The time that the database tells, where it was asked to, is brought up to the clock's before each transaction."""

    told: dict[str, datetime] = field(default_factory=dict)

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[UnitOfWork]:
        await checkpoint("transaction")
        now = self.clock.now()
        if self.told.get("now") != now:
            await keep_time(self.database, now)
            self.told["now"] = now
        async with super().__call__() as work:
            yield work
