"""One message or request, one transaction: rows and outbox are committed together at the edge, and nobody else commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import stamina
from prometheus_client import Counter
from sqlalchemy.ext.asyncio import AsyncSession

from courtside_contracts.envelope import Event
from services.chassis import outbox
from services.chassis.clock import Clock
from services.chassis.crash_points import reach
from services.chassis.database import Database
from services.chassis.outbox import Outgoing
from services.chassis.retrying import lost_to_another

T = TypeVar("T")


@dataclass
class UnitOfWork:
    """An open transaction. `now` is one instant for all that happens in it."""

    session: AsyncSession
    now: datetime
    outgoing: list[Outgoing] = field(default_factory=list)
    counted: list[tuple[Counter, float]] = field(default_factory=list)

    def publish(self, event: Event) -> None:
        """Tell of a fact when, and only when, this transaction commits."""
        self.outgoing.append(Outgoing.of(event, self.now))

    def count(self, counter: Counter, by: float = 1) -> None:
        """When, and only when, this transaction commits: one that is repeated has counted nothing before."""
        self.counted.append((counter, by))

    def publish_tombstone(self, kind: type[Event], key: str) -> None:
        """Have the compacted topic of `kind` forget this key when, and only when, this transaction commits."""
        self.outgoing.append(Outgoing.tombstone(kind, key, self.now))


@dataclass(frozen=True)
class UnitOfWorkFactory:
    """`async with unit_of_work() as work:` commits when the block ends, and rolls everything back when it raises."""

    database: Database
    clock: Clock
    wake_relay: Callable[[], None]

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[UnitOfWork]:
        async with self.database.sessions() as session, session.begin():
            await self.database.connect(session)
            work = UnitOfWork(session, self.clock.now())
            yield work
            # Rows first: an event must find its aggregate's row locked, so that `seq` follows `version`.
            await session.flush()
            await outbox.write(session, work.outgoing)
            reach("transaction.written")
        reach("transaction.committed")
        for counter, by in work.counted:
            counter.inc(by)
        if work.outgoing:
            self.wake_relay()

    async def run(self, change: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """One transaction, and once more when it lost a deadlock to another: nothing of a lost one remains."""
        async for attempt in stamina.retry_context(on=lost_to_another, attempts=4, wait_initial=0.02, wait_max=0.5):
            with attempt:
                async with self() as work:
                    return await change(work)
        raise AssertionError("unreachable: the last attempt returns or raises")
