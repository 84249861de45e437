"""A ring after each commit that wrote to the outbox: the relay need not wait for its next look."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import asyncpg

from services.chassis.database import TIMEOUTS, UNREACHABLE

CHANNEL = "courtside_outbox"
REPAIRED_AFTER_SECONDS = 1.0


@dataclass
class Doorbell:
    """Wakes the relay of this database after a commit: one `NOTIFY` on a connection of its own, however many commits there were.

    Inside the business transaction `NOTIFY` would serialise all commits of the database; a lost ring costs one poll.
    """

    dsn: str
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        self.rung.set()

    async def run(self) -> None:
        while True:
            try:
                await self._session()
            except (*UNREACHABLE, asyncpg.PostgresError):
                await asyncio.sleep(REPAIRED_AFTER_SECONDS)

    async def _session(self) -> None:
        connection = await asyncpg.connect(self.dsn, server_settings={"application_name": "doorbell"}, **TIMEOUTS)
        try:
            while True:
                await self.rung.wait()
                self.rung.clear()
                await connection.execute(f"NOTIFY {CHANNEL}")
        finally:
            connection.terminate()
