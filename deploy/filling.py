"""Puts invented clubs, players and bookings into a booking database, through COPY, in chunks that bound the memory it takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import chain, islice
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy.dialects.postgresql import insert

from deploy.invented_bookings import BookingRow, coming, past
from deploy.invented_clubs import Club, Player
from services.booking.settings import BookingSettings
from services.booking.venues.domain import Venue
from services.booking.venues.queries import Catalogue
from services.booking.venues.tables import courts, opening_hours, price_rules, venues
from services.chassis.database import Database

console = Console(stderr=True)

CHUNK = 5_000
"""Rows of one COPY, some 2 MB: twice so much is in memory, however many are asked for."""


async def fill(database_url: str, clubs: Sequence[Club], bookings: int) -> int:
    """How many bookings were made. Each club is one transaction, so a run that was broken off goes on with the next."""
    now = datetime.combine(datetime.now(UTC).date(), time.min, UTC)
    shares = {club: bookings // len(clubs) + (club.number < bookings % len(clubs)) for club in clubs}
    connection = await asyncpg.connect(database_url)
    try:
        new = [club for club in clubs if not await _is_filled(connection, club, now)]
        found = await _found(database_url, new)
        with _progress() as progress:
            task = progress.add_task("bookings", total=sum(shares[club] for club in new))
            filling = Filling(connection, lambda rows: progress.advance(task, rows), now)
            for club in new:
                await filling.fill(club, found[club.id], shares[club])
        await connection.execute("ANALYZE users, bookings, court_occupancy")
    finally:
        await connection.close()
    return filling.bookings


async def _is_filled(connection: asyncpg.Connection[Any], club: Club, now: datetime) -> bool:
    first = next(club.players(0, now))
    return bool(await connection.fetchval("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1)", first.id))


async def _found(database_url: str, clubs: Iterable[Club]) -> dict[UUID, Venue]:
    """Makes the clubs, and reads them as the service does: its own grids and prices are what bookings are invented on."""
    database = await Database.open(BookingSettings(database_url=SecretStr(database_url)))
    try:
        async with database.engine.begin() as connection:
            for club in clubs:
                await connection.execute(insert(venues).on_conflict_do_nothing(), club.venue())
                await connection.execute(insert(opening_hours).on_conflict_do_nothing(), club.opening_hours())
                await connection.execute(insert(courts).on_conflict_do_nothing(), club.courts())
                await connection.execute(insert(price_rules).on_conflict_do_nothing(), club.price_rules())
        catalogue = Catalogue(database)
        return {club.id: await catalogue.venue(club.id) for club in clubs}
    finally:
        await database.close()


@dataclass
class Filling:
    connection: asyncpg.Connection[Any]
    advance: Callable[[int], None]
    now: datetime
    bookings: int = 0

    async def fill(self, club: Club, venue: Venue, wanted: int) -> None:
        players, chance = list(club.players(wanted, self.now)), club.chance("bookings")
        ahead = list(coming(venue, players, wanted, self.now, chance))
        behind = past(venue, players, wanted - len(ahead), self.now, chance)
        async with self.connection.transaction():
            await self._copy("users", Player._fields, players)
            self.bookings += await self._copy("bookings", BookingRow._fields, chain(ahead, behind), self.advance)
            occupied = ((row.court_id, asyncpg.Range(row.starts_at, row.ends_at), row.id) for row in ahead)
            await self._copy("court_occupancy", ("court_id", "during", "booking_id"), occupied)

    async def _copy(
        self,
        table: str,
        columns: Sequence[str],
        rows: Iterable[tuple[Any, ...]],
        advance: Callable[[int], None] = lambda _: None,
    ) -> int:
        """How many. The next chunk is invented while the server works on this one."""
        left, total = iter(rows), 0
        chunk = list(islice(left, CHUNK))
        while chunk:
            copied = self.connection.copy_records_to_table(table, records=chunk, columns=columns)
            _, following = await asyncio.gather(copied, asyncio.to_thread(lambda: list(islice(left, CHUNK))))
            advance(len(chunk))
            total, chunk = total + len(chunk), following
        return total


def _progress() -> Progress:
    """Only on a terminal: elsewhere one line at the end says it all."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal)
