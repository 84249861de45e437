"""The clubs of a run: invented ones, whose holds are short, so that a hold that runs out is no matter of a quarter of an hour."""

from __future__ import annotations

import asyncpg

from deploy.filling import fill
from deploy.invented_clubs import Club

CLUBS = tuple(Club(seed=10, number=number) for number in range(3))
"""In three cities of two time zones, all in EUR: some 6,000 slots in a month."""
HOLD_MINUTES = 1
RULES = {"max_active_bookings": 2, "cancel_before_hours": 24, "hold_seconds": HOLD_MINUTES * 60}


async def open_clubs(database_url: str) -> None:
    await fill(database_url, CLUBS, bookings=0)
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("UPDATE venues SET hold_minutes = $1", HOLD_MINUTES)
        await connection.execute("DELETE FROM users")  # the clubs' invented players, of whom no event has told
    finally:
        await connection.close()
