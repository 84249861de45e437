"""A booking API of its own: a process on an empty, migrated and seeded database. It runs no consumer and needs no broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from deploy import tokens
from deploy.local.postgres import Postgres
from services.booking.venues import seed
from services.booking.venues.seed import VENUE_ID
from tests.integration.booking.desks import Desk
from tests.integration.booking.halls import Hall, open_hall
from tests.integration.booking.in_process import migrate, settings_for
from tests.integration.booking.workers import Worker
from tests.stack import TestStack

OTHER_VENUE = UUID("019ab1d0-0c0a-7000-8000-00000000beef")
"""Like the seeded one, and without a court."""
COPY_VENUE = """
INSERT INTO venues SELECT (jsonb_populate_record(venues, jsonb_build_object('id', $1::uuid))).* FROM venues WHERE id = $2
"""


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

    async def sign_in(self, player: str, role: str = "player") -> str:
        """Their id: the club knows them from now on."""
        me = await self.ask("GET", "/v1/me", player, role)
        assert me.status_code == 200, me.text
        return str(me.json()["id"])

    async def hire(self, player: str, venue_id: UUID = VENUE_ID) -> str:
        """Their id: with `role="staff"` they act for the venue from now on."""
        user_id = await self.sign_in(player, "staff")
        hired = await self.ask("PUT", f"/v1/venues/{venue_id}/staff/{user_id}", "admin", "admin")
        assert hired.status_code == 204, hired.text
        return user_id

    async def hold(self, player: str, court_id: str, starts_at: str, **headers: str) -> httpx.Response:
        body = {"court_id": court_id, "starts_at": starts_at}
        return await self.ask("POST", "/v1/bookings", player, json=body, headers=headers)

    async def count(self, table: str, where: str = "true") -> int:
        return int(await self.database.fetchval(f"SELECT count(*) FROM {table} WHERE {where}"))

    async def written(self) -> dict[str, int]:
        """All that a refused request must leave alone."""
        tables = ("users", "venue_staff", "bookings", "court_occupancy", "outbox", "idempotency_keys")
        return {table: await self.count(table) for table in tables}


@pytest.fixture(scope="session")
async def club(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[Club]:
    del postgres  # it must run, and is reached by its URL
    url = await idle_stack.new_database("booking")
    await migrate(url)
    await seed.run(settings_for(url))
    database = await asyncpg.connect(url)
    await database.execute(COPY_VENUE, OTHER_VENUE, VENUE_ID)
    api = await idle_stack.start("booking", "api", name="club", BOOKING_DATABASE_URL=url)
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        yield Club(api, url, database, idle_stack, client)
    await database.close()
    await idle_stack.stop("club")


@pytest.fixture(scope="session")
async def hall(club: Club) -> AsyncIterator[Hall]:
    async with open_hall(club) as hall:
        yield hall


@pytest.fixture(scope="session")
async def desk(club: Club) -> AsyncIterator[Desk]:
    async with Worker.open(club.database_url) as worker:
        yield Desk(club, worker)
