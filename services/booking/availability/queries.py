from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from uuid import UUID

from services.booking.availability.domain import Occupied, Question, Sheet
from services.booking.venues.domain import CELL_SECONDS, Court, Slot, Venue
from services.chassis.database import Database

LOOK_AHEAD_DAYS = 7
"""How far the next free slots are looked for."""

TAKEN = """
SELECT o.court_id, lower(o.during), upper(o.during), coalesce(b.status = 'held' AND b.hold_expires_at <= $4, false)
FROM court_occupancy o LEFT JOIN bookings b ON b.id = o.booking_id
WHERE o.court_id = ANY($1) AND o.during && tstzrange($2, $3)
"""

OCCUPIED = f"""
SELECT o.court_id,
       string_agg(whole.cells, '' ORDER BY o.during) FILTER (WHERE o.booking_id IS NOT NULL),
       string_agg(whole.cells, '' ORDER BY o.during) FILTER (WHERE o.booking_id IS NULL)
FROM court_occupancy o LEFT JOIN bookings b ON b.id = o.booking_id,
     LATERAL (SELECT int4send(floor(extract(epoch FROM lower(o.during)) / {CELL_SECONDS})::int)
                  || int4send(ceil(extract(epoch FROM upper(o.during)) / {CELL_SECONDS})::int)) AS whole (cells)
WHERE o.court_id = ANY($1) AND o.during && tstzrange($2, $3)
  AND NOT coalesce(b.status = 'held' AND b.hold_expires_at <= $4, false)
GROUP BY o.court_id ORDER BY o.court_id
"""  # noqa: S608 - a number of ours
"""`Occupied`, a row for each court: a value for all that stands there costs a third of a value for each. A block has no booking. Overdue
holds are left out.
"""


@dataclass(frozen=True)
class Taken:
    """What stands on a court. An `overdue` hold does not stand in the way: who asks for its slot gets it."""

    court_id: UUID
    starts_at: datetime
    ends_at: datetime
    overdue: bool

    def overlaps(self, slot: Slot) -> bool:
        return self.court_id == slot.court_id and self.starts_at < slot.ends_at and slot.starts_at < self.ends_at


async def look(database: Database, question: Question, now: datetime) -> Sheet:
    """What stands on the courts in the days that are asked for. One statement, whatever the number of courts and days."""
    window, courts = question.window(now), [court.id for court in question.courts]
    from_, until = (datetime.fromtimestamp(cell * CELL_SECONDS, UTC) for cell in (window.start, window.stop))
    rows = await database.fetch(OCCUPIED, courts, from_, until, now) if window else []
    return Sheet(question, question.limits(now), tuple(Occupied(*row) for row in rows))


def coming_slots(venue: Venue, court: Court, after: Slot, now: datetime) -> list[Slot]:
    """A slot and those of the same court and for the same role that begin after it, for a week or up to the horizon."""
    first, last = venue.local(after.starts_at).date(), venue.last_bookable_day(now)
    days = (first + timedelta(days=ahead) for ahead in range(LOOK_AHEAD_DAYS))
    later = (slot for day in days if day <= last for slot in venue.slots(court, day, after.role))
    return [after, *(slot for slot in later if slot.starts_at > after.starts_at)]


async def taken(database: Database, slots: list[Slot], now: datetime) -> list[Taken]:
    """What stands on the courts of these slots, from the first to the last of them. One round trip."""
    if not slots:
        return []
    courts, from_, until = (
        {slot.court_id for slot in slots},
        min(slot.starts_at for slot in slots),
        max(slot.ends_at for slot in slots),
    )
    return [Taken(*row) for row in await database.fetch(TAKEN, list(courts), from_, until, now)]


def free(slots: Iterable[Slot], occupancy: Iterable[Taken], limit: int | None = None) -> Iterator[Slot]:
    standing: dict[UUID, list[Taken]] = {}
    for one in occupancy:
        if not one.overdue:
            standing.setdefault(one.court_id, []).append(one)
    left = (slot for slot in slots if not any(one.overlaps(slot) for one in standing.get(slot.court_id, ())))
    return islice(left, limit)
