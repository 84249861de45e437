"""A club of its own, with as many API processes as a test wants: what it does to its database nobody else feels."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx

from services.booking.venues import seed
from services.booking.venues.seed import court_id
from tests.integration.booking.conftest import Club
from tests.integration.booking.in_process import migrate, settings_for
from tests.integration.booking.slots import SLOTS_A_DAY, SOONEST_DAYS, tomorrow
from tests.stack import TestStack

COURTS = 4
"""Those of the seeded club with slots of 90 minutes."""


@dataclass
class Slots:
    """Of the seeded club, each once."""

    given: int = 0

    def next(self) -> tuple[str, str]:
        """A court, and the start of a slot on it."""
        court, later = self.given % COURTS + 1, self.given // COURTS
        day, slot = divmod(later, SLOTS_A_DAY)
        self.given += 1
        starts_at: datetime = tomorrow(day + SOONEST_DAYS) + timedelta(minutes=90 * slot)
        return str(court_id(court)), starts_at.isoformat()


@dataclass(frozen=True)
class OwnClub(Club):
    """`database` is a connection of the test, which is not behind whatever stands before the API's."""

    slots: Slots = field(default_factory=Slots)

    async def hold_one(self, player: str, **headers: str) -> httpx.Response:
        return await self.hold(player, *self.slots.next(), **headers)

    async def held(self, player: str) -> dict[str, Any]:
        """A booking of this player's, who has not as many as they may."""
        answer = await self.hold_one(player)
        assert answer.status_code == 201, answer.text
        booking: dict[str, Any] = answer.json()
        return booking

    async def cancel(self, player: str, booking_id: str, **headers: str) -> httpx.Response:
        return await self.ask("POST", f"/v1/bookings/{booking_id}/cancel", player, json={}, headers=headers)


@asynccontextmanager
async def open_club(
    stack: TestStack, name: str, *, behind: int | None = None, told: Mapping[str, str] | None = None
) -> AsyncIterator[OwnClub]:
    """One API process, `name`, on an empty club. `behind` is the port of a proxy that it reaches its database by."""
    url = await stack.new_database("booking")
    await migrate(url)
    await seed.run(settings_for(url))
    database: asyncpg.Connection[Any] = await asyncpg.connect(url)
    through = at_port(url, behind) if behind else url
    api = await stack.start("booking", "api", name=name, BOOKING_DATABASE_URL=through, **(told or {}))
    async with httpx.AsyncClient(timeout=90, trust_env=False) as client:
        yield OwnClub(api, url, database, stack, client)
    await database.close()
    await stack.stop(name)


def at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{port}")).geturl()
