from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Row, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from services.booking.venues.domain import Court, OpeningException, OpeningHours, PriceRule, Venue
from services.booking.venues.tables import courts, opening_exceptions, opening_hours, price_rules, venues
from services.chassis import problems
from services.chassis.database import Database, NoDatabase

log = structlog.get_logger()

FRESH_SECONDS = 5.0
"""How old a copy may be. A changed price or a closed court is seen by every process within this time."""


class VenueNotFound(problems.NotFound):
    """There is no such venue."""


class CourtNotFound(problems.NotFound):
    """There is no such court."""


class Catalogue:
    """All venues with their courts, hours and prices, in memory: a hold reads them without a round trip."""

    def __init__(self, database: Database, tell: Callable[[Iterable[Venue]], None] = lambda _: None) -> None:
        """`tell` hears of the venues at each look."""
        self._database, self._tell = database, tell
        self._venues: dict[UUID, Venue] = {}
        self._courts: dict[UUID, tuple[Venue, Court]] = {}
        self._read_at = float("-inf")
        self._looking = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None

    async def venue(self, venue_id: UUID) -> Venue:
        await self._refresh()
        if venue_id not in self._venues:
            raise VenueNotFound("There is no such venue.", venue_id=str(venue_id))
        return self._venues[venue_id]

    async def court(self, court_id: UUID) -> tuple[Venue, Court]:
        await self._refresh()
        if court_id not in self._courts:
            raise CourtNotFound("There is no such court.", court_id=str(court_id))
        return self._courts[court_id]

    async def close(self) -> None:
        """Before its database: a look under way has a connection of the pool, and would leave it open."""
        if self._background:
            await asyncio.wait([self._background])

    async def _refresh(self) -> None:
        """The first look is waited for; later ones go on beside the request, so that none of them needs a second connection."""
        if not self._venues:
            async with self._looking:
                if not self._venues:
                    await self._look()
        elif time.monotonic() - self._read_at > FRESH_SECONDS and (not self._background or self._background.done()):
            self._background = asyncio.create_task(self._look_again())

    async def _look_again(self) -> None:
        async with self._looking:
            try:
                await self._look()
            except (NoDatabase, SQLAlchemyError, OSError) as error:
                log.warning("the catalogue stays as it was", error=type(error).__name__)

    async def _look(self) -> None:
        async with self._database.sessions() as session:
            await self._database.connect(session)
            read = await _read(await session.connection())
        # An unchanged venue stays the same object, and so keeps the grids that it has computed.
        self._venues = {
            key: self._venues[key] if self._venues.get(key) == venue else venue for key, venue in read.items()
        }
        self._courts = {court.id: (venue, court) for venue in self._venues.values() for court in venue.courts}
        self._read_at = time.monotonic()
        self._tell(self._venues.values())


async def _read(connection: AsyncConnection) -> dict[UUID, Venue]:
    """Five statements, whatever the number of venues. In a fixed order, so that an unchanged venue is equal to the one before."""
    by_opening = opening_hours.c.weekday, opening_hours.c.opens
    hours = (await connection.execute(select(opening_hours).order_by(*by_opening))).all()
    exceptions = (await connection.execute(select(opening_exceptions).order_by(opening_exceptions.c.opens))).all()
    rules = (await connection.execute(select(price_rules).order_by(price_rules.c.id))).all()
    all_courts = (await connection.execute(select(courts).order_by(courts.c.name))).all()
    return {
        row.id: Venue(
            id=row.id,
            name=row.name,
            zone=ZoneInfo(row.time_zone),
            currency=row.currency,
            hold_minutes=row.hold_minutes,
            cancellation_window_hours=row.cancellation_window_hours,
            max_active_bookings=row.max_active_bookings,
            booking_horizon_days=row.booking_horizon_days,
            opening_hours=tuple(OpeningHours(h.weekday, h.opens, h.closes) for h in hours if h.venue_id == row.id),
            price_rules=tuple(_rule(rule) for rule in rules if rule.venue_id == row.id),
            courts=tuple(_court(court) for court in all_courts if court.venue_id == row.id),
            minimum_notice_minutes=row.minimum_notice_minutes,
            opening_exceptions=tuple(_exception(found) for found in exceptions if found.venue_id == row.id),
        )
        for row in (await connection.execute(select(venues))).all()
    }


def _court(row: Row[Any]) -> Court:
    return Court(row.id, row.name, row.surface, row.slot_minutes, row.active)


def _exception(row: Row[Any]) -> OpeningException:
    return OpeningException(row.date, row.opens, row.closes, row.reason)


def _rule(row: Row[Any]) -> PriceRule:
    return PriceRule(
        row.id,
        row.price_minor,
        frozenset(row.weekdays),
        row.starts,
        row.ends,
        row.priority,
        row.court_id,
        row.valid_from,
        row.valid_until,
        row.role,
    )


async def lock_courts(session: AsyncSession, court_ids: Collection[UUID]) -> None:
    """One change of blocks on a court at a time. Bookings are not held up: they refer to a court, and this lock lets them."""
    rows = select(courts.c.id).where(courts.c.id.in_(court_ids)).order_by(courts.c.id)
    await session.execute(rows.with_for_update(key_share=True))
