"""A club as the rules see it: when it is open, which courts it has, and what an hour costs. Pure, and read far more than written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

GRIDS_KEPT = 5_000
"""Days of courts kept in memory, some 10 MB: 50 courts over a horizon of 90 days."""


@dataclass(frozen=True)
class OpeningHours:
    """Local wall time of one weekday (Monday is 0). `closes` at or before `opens` is on the next day; midnight is 00:00."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True)
class PriceRule:
    """What a slot costs that starts in `[starts, ends)` local time on one of `weekdays`. Of the rules that fit, the highest
    priority wins; a rule of one court only goes before one of the whole venue at equal priority.
    """

    price_minor: int
    weekdays: frozenset[int]
    starts: time
    ends: time
    priority: int
    court_id: UUID | None = None

    def fits(self, court_id: UUID, local: datetime) -> bool:
        band = self.starts <= local.time() and (self.ends == time.min or local.time() < self.ends)
        return band and local.weekday() in self.weekdays and self.court_id in (None, court_id)


@dataclass(frozen=True)
class Court:
    id: UUID
    name: str
    surface: str
    slot_minutes: int
    active: bool = True
    """A court that is out of use keeps its bookings and takes no new ones."""


@dataclass(frozen=True)
class Slot:
    """A bookable interval `[starts_at, ends_at)` in UTC, with its price in minor units of the venue's currency."""

    court_id: UUID
    starts_at: datetime
    ends_at: datetime
    price_minor: int


@dataclass(frozen=True)
class Venue:
    id: UUID
    name: str
    zone: ZoneInfo
    currency: str
    hold_minutes: int
    cancellation_window_hours: int
    max_active_bookings: int
    booking_horizon_days: int
    opening_hours: tuple[OpeningHours, ...]
    price_rules: tuple[PriceRule, ...]
    courts: tuple[Court, ...]
    _grids: dict[tuple[UUID, date], list[Slot]] = field(default_factory=dict, compare=False, repr=False)

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone)

    def last_bookable_day(self, now: datetime) -> date:
        return self.local(now).date() + timedelta(days=self.booking_horizon_days)

    def slots(self, court: Court, day: date) -> list[Slot]:
        """Every slot of a court that starts in the opening hours of a local day and has a price, in order.

        Computed once for each day: who asks for a day is seldom the only one.
        """
        if (court.id, day) not in self._grids:
            if len(self._grids) > GRIDS_KEPT:
                self._grids.clear()
            self._grids[court.id, day] = self._slots(court, day)
        return self._grids[court.id, day]

    def _slots(self, court: Court, day: date) -> list[Slot]:
        return [
            Slot(court.id, starts_at, ends_at, price)
            for hours in self.opening_hours
            if hours.weekday == day.weekday()
            for starts_at, ends_at in grid(day, hours, court.slot_minutes, self.zone)
            if (price := self.price(court, starts_at)) is not None
        ]

    def slot_at(self, court: Court, starts_at: datetime) -> Slot | None:
        """The slot that starts at this instant. It may belong to the opening hours of the day before, past midnight."""
        day = self.local(starts_at).date()
        near = (slot for back in (0, 1) for slot in self.slots(court, day - timedelta(days=back)))
        return next((slot for slot in near if slot.starts_at == starts_at), None)

    def price(self, court: Court, starts_at: datetime) -> int | None:
        local = self.local(starts_at)
        fitting = [rule for rule in self.price_rules if rule.fits(court.id, local)]
        best = max(fitting, key=lambda rule: (rule.priority, rule.court_id is not None), default=None)
        return best.price_minor if best else None


def grid(day: date, hours: OpeningHours, slot_minutes: int, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    """The slots of one day's hours, back to back from the opening on, as UTC instants.

    The grid is wall time, since that is what hangs on the court's door: a slot that the clocks skip is not there, and in a repeated
    hour a slot is there twice, told apart by its offset. A slot lasts its minutes in real time, and ends by the closing.
    """
    length = timedelta(minutes=slot_minutes)
    closing_day = day if hours.closes > hours.opens else day + timedelta(days=1)
    closing_wall = datetime.combine(closing_day, hours.closes)
    closing = closing_wall.replace(tzinfo=zone).astimezone(UTC)
    free_from = datetime.combine(day, hours.opens, zone).astimezone(UTC)
    for starts_at in sorted(_starts(datetime.combine(day, hours.opens), closing_wall, length, zone)):
        if free_from <= starts_at and starts_at + length <= closing:
            yield starts_at, starts_at + length
            free_from = starts_at + length


def _starts(wall: datetime, until: datetime, step: timedelta, zone: ZoneInfo) -> Iterable[datetime]:
    while wall < until:
        yield from _instants(wall, zone)
        wall += step


def _instants(wall: datetime, zone: ZoneInfo) -> set[datetime]:
    """No instant for a wall time that the clocks skip, two for one that they repeat."""
    both = {wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return {instant for instant in both if instant.astimezone(zone).replace(tzinfo=None) == wall}
