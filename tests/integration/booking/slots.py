"""Slots that no other test takes: each call gives the next one of the seeded club."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import count
from zoneinfo import ZoneInfo

from services.booking.venues.seed import court_id

MADRID = ZoneInfo("Europe/Madrid")
SLOTS_A_DAY = 10
COURTS_ON_90 = 4


def tomorrow(days: int = 1) -> datetime:
    """08:00 in Madrid, so many days ahead."""
    day = datetime.now(UTC).astimezone(MADRID).date() + timedelta(days=days)
    return datetime.combine(day, time(8), MADRID)


def _slots() -> Iterator[tuple[str, str]]:
    for number in count():
        court, later = number % COURTS_ON_90 + 1, number // COURTS_ON_90
        day, slot = divmod(later, SLOTS_A_DAY)
        starts_at = tomorrow(day + 1).astimezone(UTC) + timedelta(minutes=90 * slot)
        yield str(court_id(court)), starts_at.astimezone(MADRID).isoformat()


_free = _slots()


def a_free_slot() -> tuple[str, str]:
    """A court on a 90 minute grid, and the start of a slot on it."""
    return next(_free)
