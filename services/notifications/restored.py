"""`python -m services.notifications restored`: profiles are heard again; bookings are followed, and no mail is written of them.

Their mails have been sent. But what this service knows of a booking decides about what it still has to send: a reminder of a game that
was cancelled since the dump, a confirmation that waits in it.
"""

from __future__ import annotations

import sys

from courtside_contracts.booking import BookingEvent
from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import Envelope
from courtside_contracts.topics import BOOKING_EVENTS, USER_PROFILES
from services.chassis import restoring
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.settings import Settings
from services.chassis.subscribing import Record
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications.bookings.mutations import NEWS, follow

PROJECTED = (USER_PROFILES,)

Newest = dict[tuple[str, bool], BookingEvent]
"""Of each booking its last version, and the last that is news to its player."""


async def run(settings: Settings) -> None:
    database = await Database.open(settings)
    try:
        since = await restoring.last_known(database)
        newest: Newest = {}
        async for record in restoring.told(settings, (BOOKING_EVENTS,), since):
            _hear(record, newest)
        async with UnitOfWorkFactory(database, DatabaseClock(), _nobody)() as work:
            for event in newest.values():
                await follow(work, event)
    finally:
        await database.close()
    print(f"{len({key for key, _ in newest})} bookings brought up to the topic", file=sys.stderr)  # noqa: T201
    await restoring.hear_again(settings, since, projections=PROJECTED)


def _hear(record: Record, newest: Newest) -> None:
    kind = EVENTS.get(Envelope.parse(record.headers).type)
    if kind is None or not issubclass(kind, BookingEvent) or record.value is None:
        return
    event = kind.model_validate_json(record.value)
    known = newest.get(place := (event.key, isinstance(event, NEWS)))
    if known is None or known.version < event.version:
        newest[place] = event


def _nobody() -> None:
    """There is no relay to wake."""
