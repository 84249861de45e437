"""Keeps the processes of the services alive, as Kubernetes would: one that has ended is started again, whatever it ended of.

Each start is a part of a name of its own, `booking-api.3`, so that no log is lost.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from deploy.local.errors import Trouble
from deploy.local.ports import ready
from deploy.local.processes import Part, Processes

LOOK_SECONDS = 0.1
RESTART_SECONDS = 0.5
"""Between an end and the next start, as a supervisor's smallest pause."""


@dataclass
class Kept:
    """One process and its successors. `wanted` is False while a fault keeps it down."""

    name: str
    part: Callable[[str, Mapping[str, str]], Part]
    """Of the name of this start, and what its environment has on top."""
    processes: Processes
    wanted: bool = True
    starts: int = 0
    told_once: dict[str, str] = field(default_factory=dict)
    """Environment of the next start alone: a point to die at."""

    @property
    def current(self) -> str:
        return f"{self.name}.{self.starts}"

    @property
    def pid(self) -> int | None:
        running = self.processes.running(self.current)
        return running.pid if running else None

    def start(self) -> None:
        self.starts += 1
        told, self.told_once = self.told_once, {}
        self.processes.start(self.part(self.current, told))

    async def keep(self) -> None:
        """Until it is cancelled."""
        while True:
            if self.wanted and self.pid is None:
                with suppress(Trouble):  # its port is not free yet: the next look tries again
                    self.start()
            await asyncio.sleep(LOOK_SECONDS)
            if self.starts and self.pid is None:
                await asyncio.sleep(RESTART_SECONDS)

    # What befalls it

    def signal(self, number: signal.Signals) -> bool:
        """Whether there was somebody to hear it."""
        if (pid := self.pid) is None:
            return False
        os.kill(pid, number)
        return True

    async def kill(self) -> bool:
        was_there = self.pid is not None
        await self.processes.kill(self.current)
        return was_there

    async def stop(self) -> None:
        """As a deploy does: asked first."""
        await self.processes.stop(self.current)

    async def is_down(self) -> None:
        while self.pid is not None:  # noqa: ASYNC110 - another process ends
            await asyncio.sleep(LOOK_SECONDS)

    async def is_ready(self) -> None:
        while self.pid is None or not await asyncio.to_thread(ready, self.part(self.current, {}).ready_url):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_SECONDS)
