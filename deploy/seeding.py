"""`courtside seed`: fills a booking database with invented clubs, players and bookings, through COPY.

History only: no event is told of it, so payments and notifications know nothing of these bookings.
"""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from deploy.invented_clubs import Club
from deploy.local.environment import Installation, Paths, Ports
from deploy.local.errors import WrongEnvironment
from deploy.local.keys import ensure_keys

console = Console(stderr=True)

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
    from deploy.filling import fill  # noqa: PLC0415 - its libraries take a second, which no other command should wait for

    clubs = [Club(seed_number, number) for number in range(venue_count)]
    try:
        done = asyncio.run(fill(database_url or _local(), clubs, bookings))
    except (OSError, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise WrongEnvironment(
            f"the database does not let us in ({error}): `courtside up` starts the local one"
        ) from error
    except asyncpg.UndefinedTableError as error:
        raise WrongEnvironment(f"the database is not migrated ({error})") from error
    left_alone = " Venues that were there already are left alone." if done < bookings else ""
    told = f"Seeded {done} of {bookings} bookings in {venue_count} venues.{left_alone}"
    console.print(told, highlight=False, soft_wrap=True)


def _local() -> str:
    paths = Paths.read(os.environ)
    return Installation(Ports.read(os.environ), paths, ensure_keys(paths.keys)).database_url("booking")
