"""Which slots can be held, and why the others cannot. Pure: what stands on the courts comes as cells, one bitmask per court."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from itertools import groupby
from math import ceil, floor
from operator import attrgetter
from typing import Literal, NamedTuple
from uuid import UUID

from services.booking.venues.domain import CELL_SECONDS, Court, Slot, Venue
from services.booking.venues.grid import first_instant
from services.chassis.auth import Role

Reason = Literal["booked", "blocked", "closed", "past", "too_soon", "beyond_horizon"]


class Occupied(NamedTuple):
    """Cells of a court, from the first one to before `end`, that a booking or a block has."""

    court_id: UUID
    first: int
    end: int
    blocked: bool


@dataclass(frozen=True)
class Question:
    """Which days and courts of a venue, and for whom: the price depends on the role."""

    venue: Venue
    first_day: date
    days: int = 1
    role: Role = "player"
    court_id: UUID | None = None
    slot_minutes: int | None = None
    with_unavailable: bool = False

    @property
    def calendar(self) -> list[date]:
        return [self.first_day + timedelta(days=ahead) for ahead in range(self.days)]

    @property
    def courts(self) -> list[Court]:
        return [
            court
            for court in self.venue.courts
            if (court.active or self.with_unavailable)
            and self.court_id in (None, court.id)
            and self.slot_minutes in (None, court.slot_minutes)
        ]

    def limits(self, now: datetime) -> Limits:
        """A limit outside these days tells no more than one at their edge: so the same answer stands until the next slot begins."""
        venue, last = self.venue, self.venue.last_bookable_day(now)
        start, stop = self._midnight(self.first_day), self._midnight(self.first_day + timedelta(days=self.days + 1))
        begun, noticed = floor(_cells(now)) + 1, ceil(_cells(venue.first_bookable_instant(now)))
        horizon = self._midnight(last + timedelta(days=1))
        return Limits(start, *(min(max(limit, start), stop) for limit in (begun, noticed, horizon)))

    def window(self, now: datetime) -> range:
        """The cells in which anything can be free: in the hours, not over yet, and not beyond the horizon."""
        first, last = self.venue.local(now).date() - timedelta(days=1), self.venue.last_bookable_day(now)
        days = [day for day in self.calendar if first <= day <= last]
        found = (self.venue.slots(court, day, self.role) for day in days for court in self.courts)
        offered = [(slots[0].cells.start, slots[-1].cells.stop) for slots in found if slots]
        start = min((start for start, _ in offered), default=0)
        return range(max(start, floor(_cells(now))), max((stop for _, stop in offered), default=0))

    def _midnight(self, day: date) -> int:
        return floor(_cells(first_instant(datetime.combine(day, time.min), self.venue.zone)))


@dataclass(frozen=True)
class Limits:
    """In cells since 1970. `start` is the first day's beginning. Slots that start before `begun` have begun, before `noticed` they
    are too soon, from `horizon` on too far.
    """

    start: int
    begun: int
    noticed: int
    horizon: int


@dataclass(frozen=True)
class Sheet:
    """All that an answer is made of. Equal sheets give equal answers, so it is what answers are kept by."""

    question: Question
    limits: Limits
    occupied: tuple[Occupied, ...]

    def slots(self, court: Court, day: date) -> Iterator[tuple[Slot, Reason | None]]:
        """In order; those that can be held have no reason, and the others are there when they were asked for."""
        venue, role = self.question.venue, self.question.role
        blocked, booked = self._masks.get(court.id, (0, 0))
        judged = [(slot, self._reason(court, slot, blocked, booked)) for slot in venue.slots(court, day, role)]
        if self.question.with_unavailable:
            gone = venue.closed_slots(court, day, role)
            judged += [(slot, self._time_reason(slot) or "closed") for slot in gone]
            judged.sort(key=lambda slot_and_reason: slot_and_reason[0].starts_at)
        return ((slot, why) for slot, why in judged if why is None or self.question.with_unavailable)

    def _reason(self, court: Court, slot: Slot, blocked: int, booked: int) -> Reason | None:
        """`blocked` and `booked` are the cells of the court, asked for once: a day of fifty courts has a thousand slots."""
        if (why := self._time_reason(slot)) is not None:
            return why
        if not court.active:
            return "closed"
        cells = slot.mask << slot.cells.start - self.limits.start
        if blocked & cells:
            return "blocked"
        if booked & cells:
            return "booked"
        return "too_soon" if slot.cells.start < self.limits.noticed else None

    def _time_reason(self, slot: Slot) -> Reason | None:
        if slot.cells.start < self.limits.begun:
            return "past"
        return "beyond_horizon" if slot.cells.start >= self.limits.horizon else None

    @cached_property
    def _masks(self) -> dict[UUID, tuple[int, int]]:
        """By court, what is blocked and what is booked: one bit for each cell from the first day on."""
        masks: dict[UUID, tuple[int, int]] = {}
        for court_id, rows in groupby(self.occupied, _court):
            blocked, booked = masks.get(court_id, (0, 0))
            for one in rows:
                first = max(one.first, self.limits.start)
                bits = ((1 << max(0, one.end - first)) - 1) << first - self.limits.start
                blocked, booked = (blocked | bits, booked) if one.blocked else (blocked, booked | bits)
            masks[court_id] = blocked, booked
        return masks


_court = attrgetter("court_id")


def _cells(instant: datetime) -> float:
    return instant.timestamp() / CELL_SECONDS
