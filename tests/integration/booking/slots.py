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
SOONEST_DAYS = 2
"""Whatever the hour of the test, more than a day is left to cancel in."""


def tomorrow(days: int = 1) -> datetime:
    """08:00 in Madrid, so many days ahead."""
    day = datetime.now(UTC).astimezone(MADRID).date() + timedelta(days=days)
    return datetime.combine(day, time(8), MADRID)


def _slots() -> Iterator[tuple[str, str]]:
    for number in count():
        court, later = number % COURTS_ON_90 + 1, number // COURTS_ON_90
        day, slot = divmod(later, SLOTS_A_DAY)
        starts_at = tomorrow(day + SOONEST_DAYS).astimezone(UTC) + timedelta(minutes=90 * slot)
        yield str(court_id(court)), starts_at.astimezone(MADRID).isoformat()


_free = _slots()


def a_free_slot() -> tuple[str, str]:
    """A court on a 90 minute grid, and the start of a slot on it."""
    return next(_free)


BLOCK = """
WITH staff AS (
    INSERT INTO users (id, email, name, locale, role, version, created_at)
    VALUES ('00000000-0000-4000-8000-0000000b10c4', 'blocker@example.com', 'Blocker', 'en', 'staff', 1, now())
    ON CONFLICT DO NOTHING
), past AS (
    INSERT INTO blocked_slots (id, series_id, venue_id, court_id, during, reason, created_by, created_at)
    SELECT gen_random_uuid(), gen_random_uuid(), venue_id, id, '[2000-01-01, 2000-01-02)', 'maintenance',
           '00000000-0000-4000-8000-0000000b10c4', now()
    FROM courts WHERE id = $1
    RETURNING id
)
INSERT INTO court_occupancy (court_id, during, blocked_slot_id)
SELECT $1, tstzrange($2, $3), id FROM past
ON CONFLICT DO NOTHING
RETURNING id
"""
"""The occupancy alone, of a block whose own time is long past: so it never takes time that is given back."""
