"""A booking API of its own: a process on an empty, migrated and seeded database. It runs no consumer and needs no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from deploy import tokens
from deploy.local.postgres import Postgres
from tests.stack import TestStack


@dataclass(frozen=True)
class Club:
    """`url` of the API, and a connection to look into its database."""

    url: str
    database_url: str
    database: asyncpg.Connection[Any]
    stack: TestStack
    client: httpx.AsyncClient

    def token(self, player: str, role: str = "player") -> str:
        return tokens.mint(self.stack.installation.paths.keys, f"{player}@example.com", player, tokens.Role(role))

    async def ask(
        self, method: str, path: str, player: str | None = None, role: str = "player", **request: Any
    ) -> httpx.Response:
        """As this player, or as nobody."""
        headers = dict(request.pop("headers", {}))
        if player:
            headers |= {"Authorization": f"Bearer {self.token(player, role)}"}
        return await self.client.request(method, self.url + path, headers=headers, **request)

    async def hold(self, player: str, court_id: str, starts_at: str, **headers: str) -> httpx.Response:
        body = {"court_id": court_id, "starts_at": starts_at}
        return await self.ask("POST", "/v1/bookings", player, json=body, headers=headers)

    async def count(self, table: str, where: str = "true") -> int:
        return int(await self.database.fetchval(f"SELECT count(*) FROM {table} WHERE {where}"))

    async def written(self) -> dict[str, int]:
        """All that a refused request must leave alone."""
        tables = ("users", "bookings", "court_occupancy", "outbox", "idempotency_keys")
        return {table: await self.count(table) for table in tables}


@pytest.fixture(scope="session")
async def club(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[Club]:
    del postgres  # it must run, and is reached by its URL
    url = await idle_stack.new_database("booking")
    told = idle_stack.environment("booking", BOOKING_DATABASE_URL=url)
    await idle_stack.run("migrate-club", "services.booking", "migrate", **told)
    await idle_stack.run("seed-club", "services.booking", "seed", **told)
    api = await idle_stack.start("booking", "api", name="club", BOOKING_DATABASE_URL=url)
    database = await asyncpg.connect(url)
    # Let go of before the server does, after 5 s: a request would meet a connection that is being closed.
    limits = httpx.Limits(max_connections=100, keepalive_expiry=2)
    async with httpx.AsyncClient(timeout=10, limits=limits, trust_env=False) as client:
        yield Club(api, url, database, idle_stack, client)
    await database.close()
    await idle_stack.stop("club")
