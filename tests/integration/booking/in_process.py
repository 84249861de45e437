"""The booking service inside the test's own process, on a real database of its own: what HTTP between processes would make slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

from pydantic import SecretStr
from uuid_utils.compat import uuid7

from services.booking.app import build
from services.booking.bookings.domain import Booking
from services.booking.bookings.hold import Hold
from services.booking.settings import BookingSettings
from services.booking.venues import seed
from services.booking.venues.domain import Slot
from services.booking.venues.queries import Catalogue
from services.chassis import http, migrations
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.doorbell import Doorbell
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWorkFactory


def settings_for(url: str, pool_size: int = 10) -> BookingSettings:
    return BookingSettings(environment="test", database_url=SecretStr(url), database_pool_size=pool_size)


async def migrate(url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, settings_for(url))


@dataclass(frozen=True)
class Office:
    """The parts of a process, with the seeded club in the database."""

    chassis: Chassis
    catalogue: Catalogue

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, pool_size: int = 10, clock: DatabaseClock | None = None) -> AsyncIterator[Office]:
        settings = settings_for(url, pool_size)
        database, clock = await Database.open(settings), clock or DatabaseClock()
        catalogue = Catalogue(database)
        async with database.engine.begin() as connection:
            await seed.seed(connection)
        doorbell = Doorbell(url)
        chassis = Chassis(settings, database, clock, UnitOfWorkFactory(database, clock, doorbell.ring), doorbell)
        try:
            yield cls(chassis, catalogue)
        finally:
            await catalogue.close()
            await database.close()

    def app(self, **state: object) -> http.App:
        """The API, as `Process` makes it. `verifier` is who says whose token it is."""
        service = build(self.chassis)
        state = {"checks": {}, "chassis": self.chassis, **service.state, "catalogue": self.catalogue, **state}
        return http.create_app(
            self.chassis.settings, service.title, service.body_max_bytes, list(service.routers), **state
        )

    async def new_players(self, number: int) -> list[UUID]:
        players = [uuid4() for _ in range(number)]
        await self.chassis.database.pool.execute(
            """
            INSERT INTO users (id, email, name, locale, role, version, created_at)
            SELECT id, id || '@example.com', 'Player', 'en', 'player', 1, now() FROM unnest($1::uuid[]) AS id
            """,
            players,
        )
        return players

    async def hold_of(self, player: UUID, slot: Slot) -> Hold:
        """Ready to be placed, whatever the court's grid says of the slot."""
        venue, court = await self.catalogue.court(slot.court_id)
        booking = Booking.begin(uuid7(), slot, venue, player, self.chassis.clock.now(), free=False)
        return Hold(booking, slot, venue, court, None)
