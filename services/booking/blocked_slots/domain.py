"""Time that a club takes for itself. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from uuid_utils.compat import uuid7

from services.booking.blocked_slots.recurrence import REACH, occurrences
from services.booking.venues.domain import Venue
from services.chassis import problems

OverBookings = Literal["refuse", "cancel", "keep"]
"""What becomes of bookings in the way: the block is refused, they are cancelled by the club, or they go on inside the block."""

Scope = Literal["one", "following", "all"]

BLOCKS_MAX = 1_000
"""Occurrences times courts of one request: what one transaction may write."""
LONGEST = timedelta(days=366)

BOOKINGS_MAX: Mapping[OverBookings, int] = {"refuse": 0, "cancel": 200}
"""How many bookings may be in the way. 200 is what one transaction may lock and cancel."""


class BlockedSlotNotFound(problems.NotFound):
    """There is no such block."""


class BookingsInTheWay(problems.Conflict):
    """`bookings` says which: any, or more than one transaction may cancel; a closure cancels any number, in batches."""


class TooManyBlocks(problems.Invalid):
    """The rule, times the courts, makes more blocks than one request may."""


class EndsBeforeItStarts(problems.Invalid):
    """The interval is empty."""


class BlockInThePast(problems.Invalid):
    """The interval is over."""


class BlockTooLong(problems.Invalid):
    """One block may not last so long."""


class BlockTooFarAhead(problems.Invalid):
    """The interval lies further ahead than blocks may."""


INTERVALS = (EndsBeforeItStarts, BlockInThePast, BlockTooLong, BlockTooFarAhead)
"""What `check_interval` refuses."""


@dataclass(frozen=True)
class Span:
    """Some time of a court: `[starts_at, ends_at)`."""

    court_id: UUID
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class BlockedSlot:
    """One court, one interval. Blocks that were made together are a series, be it of one. Never changed: made, and deleted."""

    id: UUID
    series_id: UUID
    venue_id: UUID
    span: Span
    reason: str
    created_by: UUID
    created_at: datetime


@dataclass(frozen=True)
class Order:
    """What staff asks for: an interval on some courts of a venue, perhaps again and again."""

    venue: Venue
    court_ids: Sequence[UUID]
    starts_at: datetime
    ends_at: datetime
    rule: str | None = None

    def spans(self, now: datetime) -> list[Span]:
        """In the order of time. Raises what is wrong with the request."""
        check_interval(self.starts_at, self.ends_at, now)
        intervals = occurrences(self.starts_at, self.ends_at, self.rule, self.venue.zone)
        if len(intervals) * len(self.court_ids) > BLOCKS_MAX:
            raise TooManyBlocks(
                f"One request makes at most {BLOCKS_MAX} blocks: {len(intervals)} occurrences on {len(self.court_ids)} courts "
                "are more. Take fewer courts at a time.",
                blocks_max=BLOCKS_MAX,
            )
        return [Span(court_id, *interval) for interval in intervals for court_id in sorted(self.court_ids)]


def check_interval(starts_at: datetime, ends_at: datetime, now: datetime, longest: timedelta = LONGEST) -> None:
    """Raises one of `INTERVALS`."""
    if ends_at <= starts_at:
        raise EndsBeforeItStarts("The end must be after the start.")
    if ends_at <= now:
        raise BlockInThePast("This time is over: there is nothing to block.")
    if ends_at - starts_at > longest:
        raise BlockTooLong(f"One block lasts at most {longest.days} days.", longest_days=longest.days)
    if starts_at > now + REACH:
        raise BlockTooFarAhead("A block starts within two years.", latest=(now + REACH).isoformat())


def is_refused(over: OverBookings, met: int) -> bool:
    """With so many bookings in the way."""
    return met > BOOKINGS_MAX.get(over, met)


def blocks(
    spans: Iterable[Span], *, series_id: UUID, venue_id: UUID, reason: str, by: UUID, now: datetime
) -> list[BlockedSlot]:
    return [BlockedSlot(uuid7(), series_id, venue_id, span, reason, by, now) for span in spans]
