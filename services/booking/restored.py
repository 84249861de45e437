"""`python -m services.booking restored`: the only service whose own topics know more than its restored database."""

from __future__ import annotations

import sys

from courtside_contracts.topics import BOOKING_EVENTS, COURT_EVENTS, PAYMENT_EVENTS, USER_PROFILES
from services.booking.bookings import catching_up as bookings
from services.booking.users import catching_up as users
from services.chassis import restoring
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.chassis.unit_of_work import UnitOfWorkFactory

TOLD = (BOOKING_EVENTS, PAYMENT_EVENTS, COURT_EVENTS)
HEARD = (PAYMENT_EVENTS,)


async def run(settings: Settings) -> None:
    """All of it is one transaction. Nothing is published: what is written has been told already."""
    database = await Database.open(settings)
    try:
        since = await restoring.last_known(database)
        story, profiles = bookings.Story(), users.Profiles()
        async for record in restoring.told(settings, (USER_PROFILES,), since):
            profiles.hear(record)
        async for record in restoring.told(settings, TOLD, since):
            story.hear(record)
        async with UnitOfWorkFactory(database, DatabaseClock(), _nobody)() as work:
            people, books = await users.catch_up(work, profiles), await bookings.catch_up(work, story)
    finally:
        await database.close()
    print(f"{people} users and {books} bookings brought up to the topics", file=sys.stderr)  # noqa: T201
    for block in story.blocked():
        sentence = f"blocked, perhaps since: {block.court_name}, {block.starts_at:%Y-%m-%d %H:%M} UTC, {block.reason!r}"
        print(sentence, file=sys.stderr)  # noqa: T201
    await restoring.hear_again(settings, since, main=HEARD)


def _nobody() -> None:
    """There is no relay to wake."""
