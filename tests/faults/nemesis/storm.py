"""What every fault is played on, and with whom else it may not meet: two faults at one part would each undo the other."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from deploy.local.environment import SERVICES
from tests.faults.clients.scene import Scene
from tests.faults.plan.plan import Fault
from tests.faults.stack.keeping import Kept
from tests.faults.stack.parts import PROCESSES, RUNNERS
from tests.faults.stack.servers import SETTINGS
from tests.faults.stack.system import System

READY_AGAIN_SECONDS = 20.0
"""How long a fault waits for what it has struck before the next may strike there: a second fault elsewhere may keep it from serving."""

Details = dict[str, Any]
Play = Callable[["Storm", Fault], Awaitable[Details]]
"""What a kind of fault does. What it returns goes into the log of the faults."""


@dataclass
class Storm:
    system: System
    scene: Scene
    poison: list[dict[str, Any]] = field(default_factory=list)
    """What the plan itself has written on topics, as `run.json` tells it."""
    _beside: int = 0
    _taken: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    def kept(self, name: str) -> Kept:
        return self.system.kept[name]

    def of_service(self, service: str, *roles: str) -> list[Kept]:
        """All its processes, or those of these roles."""
        wanted = [runner.name for runner in RUNNERS if runner.service == service and runner.role in (roles or ROLES)]
        return [self.kept(name) for name in wanted]

    @asynccontextmanager
    async def holding(self, fault: Fault) -> AsyncIterator[None]:
        """What the fault strikes is its own meanwhile. In one order, so that no two wait for each other."""
        async with AsyncExitStack() as held:
            for name in sorted(_struck(fault.target)):
                await held.enter_async_context(self._taken[name])
            yield

    def next_name(self, stem: str) -> str:
        """Of a process that is started beside the others: no two share a log."""
        self._beside += 1
        return f"{stem}-{self._beside}"

    async def postgres_crashes(self) -> None:
        """SIGQUIT, as `pg_ctl stop -m immediate` sends it."""
        processes = self.system.stack.processes
        if running := processes.running("postgres"):
            os.kill(running.pid, signal.SIGQUIT)
            while processes.running("postgres"):  # noqa: ASYNC110 - another process ends
                await asyncio.sleep(0.05)

    async def postgres_starts(self) -> None:
        await self.system.stack.start_postgres(SETTINGS)
        connection = await self.system.stack.postgres.connect()
        connection.terminate()

    async def are_ready(self, kept: Iterable[Kept]) -> bool:
        """Once they serve, or when it is time to go on all the same."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_AGAIN_SECONDS):
                await asyncio.gather(*(each.is_ready() for each in kept))
                return True
        return False


ROLES = ("api", "worker")


def _struck(target: str) -> set[str]:
    if target == "all":
        return {*PROCESSES, "postgres", "kafka"}
    if target in SERVICES:
        return {runner.name for runner in RUNNERS if runner.service == target}
    return {target}
