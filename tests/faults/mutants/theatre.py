"""A stack on which one play after the other is given: each with databases, topics and books of its own, and a defect or none."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from deploy.local.environment import SERVICES
from tests.faults.mutants.club import SHORT_HOLDS
from tests.faults.mutants.history import History
from tests.faults.mutants.stage import Stage
from tests.stack import TestStack


@dataclass(frozen=True)
class Theatre:
    """Servers, both providers, and a migrated and seeded installation that each play begins with a copy of."""

    stack: TestStack
    client: httpx.AsyncClient

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Theatre]:
        stack = await TestStack.open()
        try:
            await asyncio.gather(stack.start_postgres(), stack.start_kafka())
            await stack.install()
            await _add_short_holds(stack)
            await asyncio.gather(
                stack.start_standin("polar"), stack.start_standin("resend", RESEND_STANDIN_RATE_PER_S="0")
            )
            async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
                yield cls(stack, client)
        finally:
            await stack.close()

    @asynccontextmanager
    async def stage(self, mutant: str | None, folder: Path) -> AsyncIterator[Stage]:
        """The services run when it opens, and are stopped when it closes."""
        databases = await self._copy_databases()
        _, prefix = await self.stack.new_topics()
        for name in ("polar", "resend"):
            (await self.client.post(f"{self.stack.installation.url(name)}/_admin/reset")).raise_for_status()
        _forget_logs(self.stack.installation.paths.logs)
        stage = Stage(self.stack, self.client, mutant, folder, databases, prefix, History(folder / "history.jsonl"))
        try:
            await _all_or_none(*(stage.start(service) for service in SERVICES))
            yield stage
        finally:
            await asyncio.gather(*(self.stack.stop(service) for service in SERVICES))
            await self.stack.drop_topics(prefix)
            await self.stack.postgres.drop_databases(url.rpartition("/")[2] for url in databases.values())

    async def _copy_databases(self) -> dict[str, str]:
        suffix, urls = secrets.token_hex(3), {}
        connection = await self.stack.postgres.connect()
        try:
            for service in SERVICES:
                template = self.stack.installation.database(service)
                await connection.execute(f"CREATE DATABASE {template}_{suffix} TEMPLATE {template} OWNER {service}")
                urls[service] = f"{self.stack.installation.database_url(service)}_{suffix}"
        finally:
            await connection.close()
        return urls


async def _all_or_none(*starts: Awaitable[None]) -> None:
    """Waits for all of them before it raises: one that still starts could not be stopped."""
    for outcome in await asyncio.gather(*starts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _add_short_holds(stack: TestStack) -> None:
    connection = await asyncpg.connect(stack.installation.database_url("booking"))
    try:
        await connection.execute(SHORT_HOLDS)
    finally:
        await connection.close()


def _forget_logs(folder: Path) -> None:
    """Each play is judged by its own."""
    for file in folder.glob("*.log"):
        if file.name.startswith(SERVICES) and not file.name.startswith("migrate"):
            file.unlink()
