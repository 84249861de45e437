"""A club to play with: eight padel courts in Madrid, four on a 90 and four on a 60 minute grid, dearer in the evening."""

from __future__ import annotations

import sys
from datetime import time
from uuid import UUID, uuid5

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from services.booking.venues.tables import courts, opening_hours, price_rules, venues
from services.chassis.settings import Settings

VENUE_ID = UUID("019ab1d0-0c0a-7000-8000-000000000001")
EVERY_DAY, WEEKEND = [0, 1, 2, 3, 4, 5, 6], [5, 6]

COURTS = (
    ("Pista 1 · Central", "artificial turf, panoramic glass", 90),
    ("Pista 2", "artificial turf", 90),
    ("Pista 3", "artificial turf", 90),
    ("Pista 4", "artificial turf, indoor", 90),
    ("Pista 5", "artificial turf", 60),
    ("Pista 6", "artificial turf", 60),
    ("Pista 7", "artificial turf, indoor", 60),
    ("Pista 8 · Escuela", "artificial turf", 60),
)

PRICES_MINOR = {90: {"off-peak": 2400, "peak": 3600}, 60: {"off-peak": 1600, "peak": 2400}}
PEAK = (([0, 1, 2, 3, 4], time(18), time(22)), (WEEKEND, time(9), time(14)))
"""Weekday evenings and weekend mornings, in Madrid's time."""


def court_id(number: int) -> UUID:
    return uuid5(VENUE_ID, f"court {number}")


async def seed(connection: AsyncConnection) -> None:
    """Safe to run again: what is there is left alone."""
    numbered = list(enumerate(COURTS, start=1))
    rows = {
        venues: [_venue()],
        opening_hours: _opening_hours(),
        courts: [_court(number, *court) for number, court in numbered],
        price_rules: [rule for number, (_, _, slot_minutes) in numbered for rule in _rules(number, slot_minutes)],
    }
    for table, values in rows.items():
        await connection.execute(insert(table).on_conflict_do_nothing(), values)


def _venue() -> dict[str, object]:
    return {
        "id": VENUE_ID,
        "name": "Club Pádel Retiro",
        "time_zone": "Europe/Madrid",
        "currency": "EUR",
        "hold_minutes": 15,
        "cancellation_window_hours": 24,
        "max_active_bookings": 2,
        "booking_horizon_days": 30,
    }


def _opening_hours() -> list[dict[str, object]]:
    return [{"venue_id": VENUE_ID, "weekday": day, "opens": time(8), "closes": time(23)} for day in EVERY_DAY]


def _court(number: int, name: str, surface: str, slot_minutes: int) -> dict[str, object]:
    return {
        "id": court_id(number),
        "venue_id": VENUE_ID,
        "name": name,
        "surface": surface,
        "slot_minutes": slot_minutes,
        "active": True,
    }


def _rules(number: int, slot_minutes: int) -> list[dict[str, object]]:
    prices = PRICES_MINOR[slot_minutes]
    bands = [("off-peak", EVERY_DAY, time.min, time.min, 0), *(("peak", *band, 10) for band in PEAK)]
    return [
        {
            "id": uuid5(court_id(number), f"{name} {weekdays}"),
            "venue_id": VENUE_ID,
            "court_id": court_id(number),
            "weekdays": weekdays,
            "starts": starts,
            "ends": ends,
            "price_minor": prices[name],
            "priority": priority,
        }
        for name, weekdays, starts, ends, priority in bands
    ]


async def run(settings: Settings) -> None:
    engine = create_async_engine(settings.sqlalchemy_url())
    async with engine.begin() as connection:
        await seed(connection)
    await engine.dispose()
    print(f"seeded {len(COURTS)} courts of venue {VENUE_ID}", file=sys.stderr)  # noqa: T201
