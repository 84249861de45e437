"""`courtside seed`: fills a booking database with invented clubs, players and bookings, through COPY.

History only: no event is told of it, so payments and notifications know nothing of these bookings.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import chain, islice
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from sqlalchemy.dialects.postgresql import insert

from deploy.invented_bookings import BookingRow, coming, past
from deploy.invented_clubs import Club, Player
from deploy.local.environment import Installation, Paths, Ports
from deploy.local.errors import WrongEnvironment
from deploy.local.keys import ensure_keys
from services.booking.settings import BookingSettings
from services.booking.venues.domain import Venue
from services.booking.venues.queries import Catalogue
from services.booking.venues.tables import courts, opening_hours, price_rules, venues
from services.chassis.database import Database

console = Console(stderr=True)

CHUNK = 5_000
"""Rows of one COPY, some 2 MB: twice so much is in memory, however many are asked for."""
VENUES_MAX = 1_000
BOOKINGS_MAX_PER_VENUE = 100_000
"""A club of six courts has as many in some six years."""


def seed(
    venue_count: Annotated[int, typer.Option("--venues", help=f"How many clubs, up to {VENUES_MAX}.")] = 20,
    bookings: Annotated[int, typer.Option(help="How many bookings, all clubs together.")] = 100_000,
    seed_number: Annotated[
        int, typer.Option("--seed", help="Another number invents other clubs; the same one the same again.")
    ] = 1,
    database_url: Annotated[str, typer.Option(help="A migrated booking database; else the local one.")] = "",
) -> None:
    """Fill a booking database with invented clubs, players and bookings. What is there stays; clubs that are there are left alone."""
    if not 1 <= venue_count <= VENUES_MAX:
        raise WrongEnvironment(f"--venues must be between 1 and {VENUES_MAX}, not {venue_count}")
    if not 0 <= bookings <= venue_count * BOOKINGS_MAX_PER_VENUE:
        most = venue_count * BOOKINGS_MAX_PER_VENUE
        raise WrongEnvironment(f"--bookings must be between 0 and {most} for {venue_count} venues, not {bookings}")
    if database_url and not database_url.startswith("postgresql://"):
        raise WrongEnvironment("--database-url must look like postgresql://role:password@host:port/database")
    clubs = [Club(seed_number, number) for number in range(venue_count)]
    try:
        done = asyncio.run(fill(database_url or _local(), clubs, bookings))
    except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise WrongEnvironment(
            f"the database does not let us in ({error}): `courtside up` starts the local one"
        ) from error
    except asyncpg.UndefinedTableError as error:
        raise WrongEnvironment(f"the database is not migrated ({error})") from error
    console.print(f"Seeded {done} bookings in {venue_count} venues.", highlight=False, soft_wrap=True)


def _local() -> str:
    paths = Paths.read(os.environ)
    return Installation(Ports.read(os.environ), paths, ensure_keys(paths.keys)).database_url("booking")


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
