from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from uuid import UUID

from sqlalchemy import func, select

from services.booking.bookings.tables import bookings, court_occupancy
from services.booking.venues.domain import Court, Slot, Venue
from services.chassis.database import Database

LOOK_AHEAD_DAYS = 7
"""How far the next free slots are looked for."""


@dataclass(frozen=True)
class Taken:
    court_id: UUID
    starts_at: datetime
    ends_at: datetime

    def overlaps(self, slot: Slot) -> bool:
        return self.court_id == slot.court_id and self.starts_at < slot.ends_at and slot.starts_at < self.ends_at


async def free_slots(database: Database, venue: Venue, day: date, now: datetime) -> dict[Court, list[Slot]]:
    """The slots of each court that can be held on a local day. One statement, whatever the number of courts."""
    offered = {court: venue.slots(court, day) for court in venue.courts}
    taken = await _taken(database, [slot for slots in offered.values() for slot in slots], now)
    horizon = venue.last_bookable_day(now)
    return {
        court: [slot for slot in _free(slots, taken) if slot.starts_at > now and day <= horizon]
        for court, slots in offered.items()
    }


async def free_slots_of(
    database: Database, venue: Venue, court: Court, *, after: datetime, now: datetime, limit: int
) -> list[Slot]:
    """The next free slots of one court, soonest first."""
    first = venue.local(after).date()
    days = [first + timedelta(days=ahead) for ahead in range(LOOK_AHEAD_DAYS)]
    last = venue.last_bookable_day(now)
    offered = [slot for day in days if day <= last for slot in venue.slots(court, day) if slot.starts_at > after]
    return list(islice(_free(offered, await _taken(database, offered, now)), limit))


def _free(slots: Iterable[Slot], taken: Iterable[Taken]) -> Iterator[Slot]:
    taken = list(taken)
    return (slot for slot in slots if not any(other.overlaps(slot) for other in taken))


async def _taken(database: Database, slots: list[Slot], now: datetime) -> list[Taken]:
    """What stands in the way of any of these slots. A hold that is over does not: who asks for its slot gets it."""
    if not slots:
        return []
    during = func.tstzrange(min(slot.starts_at for slot in slots), max(slot.ends_at for slot in slots))
    overdue = (bookings.c.status == "held") & (bookings.c.hold_expires_at <= now)
    statement = (
        select(court_occupancy.c.court_id, func.lower(court_occupancy.c.during), func.upper(court_occupancy.c.during))
        .outerjoin(bookings, bookings.c.id == court_occupancy.c.booking_id)
        .where(court_occupancy.c.court_id.in_({slot.court_id for slot in slots}))
        .where(court_occupancy.c.during.op("&&")(during), overdue.is_not(True))
    )
    async with database.engine.connect() as connection:
        return [Taken(*row) for row in await connection.execute(statement)]
