"""PostgreSQL and Kafka as child processes: copies of clusters that were made once, so that a run begins with empty servers in seconds."""

from __future__ import annotations

import asyncio
import fcntl
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.local.processes import Part, Processes


@dataclass(frozen=True)
class ChildServers:
    """`home` holds what runs share: the clusters that are copied."""

    home: Path
    processes: Processes

    async def start_postgres(self, postgres: Postgres) -> None:
        if not postgres.data.exists():
            template = replace(postgres, place=self.home / "template-postgres")
            async with held(self.home / "lock"):
                await template.prepare(self.processes)
            postgres.copy_from(template)
        await self._start(postgres.part())

    async def start_kafka(self, kafka: Kafka) -> None:
        if not kafka.data.exists():
            template = replace(kafka, folder=self.home / "template-kafka")
            async with held(self.home / "lock"):
                await template.prepare(self.processes)
            shutil.copytree(template.data, kafka.data)
        await kafka.prepare(self.processes)
        await self._start(kafka.part())

    async def stop(self, name: str) -> None:
        await self.processes.stop(name)

    async def kill(self, name: str) -> None:
        await self.processes.kill(name)

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        running = self.processes.running(name)
        assert running is not None
        process = psutil.Process(running.pid)
        process.suspend()
        try:
            yield
        finally:
            process.resume()

    async def close(self) -> None:
        """What Kafka has is thrown away: after hundreds of topics an orderly end would take most of a minute."""
        await self.processes.kill("kafka")
        await self.processes.stop("postgres")

    async def _start(self, part: Part) -> None:
        if not self.processes.running(part.name):
            self.processes.start(part)
        await self.processes.until_ready(part)


@asynccontextmanager
async def held(path: Path) -> AsyncIterator[None]:
    """Waited for in a thread: PostgreSQL and Kafka may be started side by side, and who has the lock must go on to give it back."""
    with path.open("a") as lock:
        await asyncio.to_thread(fcntl.flock, lock, fcntl.LOCK_EX)
        yield
