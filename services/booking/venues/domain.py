"""A club as the rules see it: when it is open, which courts it has, and what an hour costs. Pure, and read far more than written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cached_property
from uuid import UUID
from zoneinfo import ZoneInfo

from services.booking.venues.grid import grid
from services.chassis.auth import Role

GRIDS_KEPT = 5_000
"""Days of courts kept in memory, some 10 MB: 50 courts over a horizon of 90 days."""
Hours = Iterable[tuple[time | None, time | None]]
CELL_SECONDS = 300
"""The finest grain of time: hours open on whole five minutes (the database checks it) and offsets are whole quarters of an hour,
so every slot begins and ends on a cell's edge. Other times may be rounded outwards to cells without touching a slot more or less."""


@dataclass(frozen=True)
class OpeningHours:
    """Local wall time of one weekday (Monday is 0). `closes` at or before `opens` is on the next day; midnight is 00:00."""

    weekday: int
    opens: time
    closes: time


@dataclass(frozen=True)
class OpeningException:
    """Instead of its weekday's hours, a date has these, or with `opens` None none at all. Hours belong to the day on which they open:
    those of the day before that go past midnight stand.
    """

    date: date
    opens: time | None
    closes: time | None
    reason: str


@dataclass(frozen=True)
class PriceRule:
    """What a slot costs that starts in `[starts, ends)` local time on one of `weekdays`, on a local date from `valid_from` to
    `valid_until` inclusive, for callers of one `role`; None is no limit. Of the rules that fit, the highest priority wins; at equal
    priority a rule of one court goes before one of the whole venue, and then one of a role before one for everybody.
    """

    id: UUID
    price_minor: int
    weekdays: frozenset[int]
    starts: time
    ends: time
    priority: int
    court_id: UUID | None = None
    valid_from: date | None = None
    valid_until: date | None = None
    role: Role | None = None

    def fits(self, court_id: UUID, role: Role, local: datetime) -> bool:
        return (
            self.court_id in (None, court_id)
            and self.role in (None, role)
            and local.weekday() in self.weekdays
            and self.starts <= local.time()
            and (self.ends == time.min or local.time() < self.ends)
            and (self.valid_from or date.min) <= local.date() <= (self.valid_until or date.max)
        )

    @property
    def rank(self) -> tuple[int, bool, bool]:
        return self.priority, self.court_id is not None, self.role is not None


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
    """A bookable interval `[starts_at, ends_at)` in UTC, with its price in minor units of the venue's currency, the rule that set it,
    and the role that it is for.
    """

    court_id: UUID
    starts_at: datetime
    ends_at: datetime
    price_minor: int
    price_rule_id: UUID | None = None
    role: Role = "player"

    @cached_property
    def cells(self) -> range:
        """The cells since 1970 that it covers."""
        return range(int(self.starts_at.timestamp()) // CELL_SECONDS, int(self.ends_at.timestamp()) // CELL_SECONDS)

    @cached_property
    def mask(self) -> int:
        """One bit for each of its cells, the lowest for the first."""
        return (1 << len(self.cells)) - 1


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
    minimum_notice_minutes: int = 0
    opening_exceptions: tuple[OpeningException, ...] = ()
    _grids: dict[tuple[UUID, date, Role], list[Slot]] = field(default_factory=dict, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(self.id)

    def local(self, instant: datetime) -> datetime:
        return instant.astimezone(self.zone)

    def last_bookable_day(self, now: datetime) -> date:
        return self.local(now).date() + timedelta(days=self.booking_horizon_days)

    def first_bookable_instant(self, now: datetime) -> datetime:
        """The notice that the club wants. A slot that starts exactly then can still be held, unless it is starting now."""
        return now + timedelta(minutes=self.minimum_notice_minutes)

    def exceptions_on(self, day: date) -> list[OpeningException]:
        return [exception for exception in self.opening_exceptions if exception.date == day]

    def slots(self, court: Court, day: date, role: Role = "player") -> list[Slot]:
        """Every slot of a court that starts in the opening hours of a local day and has a price for this role, in order.

        Computed once for each day: who asks for a day is seldom the only one.
        """
        if (court.id, day, role) not in self._grids:
            if len(self._grids) > GRIDS_KEPT:
                self._grids.clear()
            exceptions = self.exceptions_on(day)
            hours = [(one.opens, one.closes) for one in exceptions] if exceptions else self._usual_hours(day)
            self._grids[court.id, day, role] = list(self._slots(court, day, hours, role))
        return self._grids[court.id, day, role]

    def closed_slots(self, court: Court, day: date, role: Role = "player") -> list[Slot]:
        """What an exception takes away: slots of the usual hours that meet none of the day's own."""
        if not self.exceptions_on(day):
            return []
        offered = self.slots(court, day, role)
        usual = self._slots(court, day, self._usual_hours(day), role)
        return [
            slot
            for slot in usual
            if not any(one.starts_at < slot.ends_at and slot.starts_at < one.ends_at for one in offered)
        ]

    def slot_at(self, court: Court, starts_at: datetime, role: Role = "player") -> Slot | None:
        """The slot that starts at this instant. It may belong to the opening hours of the day before, past midnight."""
        day = self.local(starts_at).date()
        near = (slot for back in (0, 1) for slot in self.slots(court, day - timedelta(days=back), role))
        return next((slot for slot in near if slot.starts_at == starts_at), None)

    def price_rule(self, court: Court, starts_at: datetime, role: Role = "player") -> PriceRule | None:
        """What sets the price of a slot; without one it is not on offer."""
        local = self.local(starts_at)
        fitting = (rule for rule in self.price_rules if rule.fits(court.id, role, local))
        return max(fitting, key=lambda rule: rule.rank, default=None)

    def _usual_hours(self, day: date) -> Hours:
        return [(hours.opens, hours.closes) for hours in self.opening_hours if hours.weekday == day.weekday()]

    def _slots(self, court: Court, day: date, hours: Hours, role: Role) -> Iterator[Slot]:
        for opens, closes in hours:
            if opens is None or closes is None:
                continue
            for starts_at, ends_at in grid(day, opens, closes, court.slot_minutes, self.zone):
                if rule := self.price_rule(court, starts_at, role):
                    yield Slot(court.id, starts_at, ends_at, rule.price_minor, rule.id, role)
