"""The slots of a court-day by counting minutes: every five minutes of the day are asked what the clock on the wall shows then. Slow, and
nothing like the product's own arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

STEP = timedelta(minutes=5)
"""Clubs open on whole five minutes, and clocks change by whole quarters of an hour."""


@cache
def slots(day: date, opens: time, closes: time, minutes: int, zone: str) -> tuple[tuple[datetime, datetime], ...]:
    """`[starts_at, ends_at)` in UTC. Starts are `opens` and each `minutes` on the wall after it; a slot lasts its minutes in real time,
    lies within the hours, and of two that meet the earlier is there."""
    opening = datetime.combine(day, opens)
    closing = datetime.combine(day + timedelta(days=1 if closes <= opens else 0), closes)
    found: list[tuple[datetime, datetime]] = []
    closed_at = next(instant for instant, wall in _walls(day, zone) if wall >= closing)
    for instant, wall in _walls(day, zone):
        on_grid = opening <= wall < closing and (wall - opening) % timedelta(minutes=minutes) == timedelta(0)
        ends_at = instant + timedelta(minutes=minutes)
        if on_grid and ends_at <= closed_at and (not found or found[-1][1] <= instant):
            found.append((instant, ends_at))
    return tuple(found)


@cache
def _walls(day: date, zone: str) -> tuple[tuple[datetime, datetime], ...]:
    return tuple(_read(day, zone))


def _read(day: date, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Every instant that may belong to the day or the night after it, with what the wall shows."""
    instant = datetime.combine(day, time.min, UTC) - timedelta(hours=15)
    for _ in range(3 * 288 + 36):
        yield instant, instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        instant += STEP
