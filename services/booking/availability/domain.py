"""Which slots can be held, and why the others cannot. Pure: what stands on the courts comes as cells, one bitmask per court."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cached_property
from math import ceil, floor
from struct import iter_unpack
from typing import Literal, NamedTuple
from uuid import UUID

from services.booking.venues.domain import CELL_SECONDS, Court, Slot, Venue
from services.booking.venues.grid import first_instant
from services.chassis.auth import Role

CELLS = ">ii"
"""Of `struct`: the first cell and the one after the last, as `Occupied` has them."""

Reason = Literal["booked", "blocked", "closed", "past", "too_soon", "beyond_horizon"]


class Occupied(NamedTuple):
    """What stands on a court: for each booking and each block the cell in which it begins and the one before which it ends.

    Whole cells, rounded outwards, each two integers of four bytes (big-endian), as PostgreSQL sends them: most answers only compare them.
    """

    court_id: UUID
    booked: bytes | None
    blocked: bytes | None


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

    def slots(self, court: Court, day: date) -> Iterable[tuple[Slot, Reason | None]]:
        """In order; those that can be held have no reason, and the others are there when they were asked for."""
        offered = self.question.venue.slots(court, day, self.question.role)
        if self.question.with_unavailable:
            return self._judged(court, day, offered)
        return [(slot, None) for slot in self._free(court, offered)] if court.active else []

    def _free(self, court: Court, offered: list[Slot]) -> list[Slot]:
        """Those that `_reason` has nothing against: a day of fifty courts has a thousand slots to look at, for each who opens it."""
        limits, (blocked, booked) = self.limits, self._masks.get(court.id, (0, 0))
        earliest, horizon, first_cell, taken = (
            max(limits.begun, limits.noticed),
            limits.horizon,
            limits.start,
            blocked | booked,
        )
        return [
            slot
            for slot in offered
            if earliest <= (start := slot.cells.start) < horizon and not taken & slot.mask << start - first_cell
        ]

    def _judged(self, court: Court, day: date, offered: list[Slot]) -> list[tuple[Slot, Reason | None]]:
        blocked, booked = self._masks.get(court.id, (0, 0))
        gone = self.question.venue.closed_slots(court, day, self.question.role)
        judged = [(slot, self._reason(court, slot, blocked, booked)) for slot in offered]
        judged += [(slot, self._time_reason(slot) or "closed") for slot in gone]
        return sorted(judged, key=lambda slot_and_reason: slot_and_reason[0].starts_at)

    def _reason(self, court: Court, slot: Slot, blocked: int, booked: int) -> Reason | None:
        """`blocked` and `booked` are the cells of the court, asked for once."""
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
        return {one.court_id: (self._mask(one.blocked), self._mask(one.booked)) for one in self.occupied}

    def _mask(self, intervals: bytes | None) -> int:
        mask, start = 0, self.limits.start
        for begins, ends in iter_unpack(CELLS, intervals or b""):
            if ends > start:
                mask |= (1 << ends - start) - (1 << begins - start if begins > start else 1)
        return mask


def _cells(instant: datetime) -> float:
    return instant.timestamp() / CELL_SECONDS
