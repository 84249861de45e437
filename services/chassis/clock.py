"""One clock for all processes: the database's.

A hold ends at the same instant for the process that made it and for the one that takes its slot, however their hosts' clocks differ
or jump. The offset is measured, not asked for each time: `now()` costs no round trip.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog
from prometheus_client import Gauge
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis.database import UNREACHABLE, Database

log = structlog.get_logger()

REFRESH_SECONDS = 30.0
"""A quartz drifts by up to 50 ppm: 1.5 ms in this time."""
AGAIN_SECONDS = 1.0
"""After a look in vain: until the first one that is not, there is only this host's clock, and that may be wrong."""

LOOKS = 5
"""The quickest of them counts: the middle of its round trip is the least wrong, on a busy machine too. The first one also pays for BEGIN
and for preparing."""


SKEW = Gauge("courtside_clock_skew_seconds", "By how much this host's clock is ahead of the database's")


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...


class DatabaseClock:
    """The database's time at the last look, carried on by the monotonic clock, which no one sets."""

    def __init__(self) -> None:
        self._seen = (datetime.now(UTC), time.monotonic())

    def now(self) -> datetime:
        instant, at = self._seen
        return instant + timedelta(seconds=time.monotonic() - at)

    async def synchronise(self, database: Database) -> None:
        """Both halves of a look are set at once: `now()` may be asked at any moment."""
        async with database.engine.connect() as connection:
            looks = [await _look(connection) for _ in range(LOOKS)]
        _, self._seen = min(looks)
        SKEW.set(self.skew_seconds)

    @property
    def skew_seconds(self) -> float:
        """By how much this host's clock is ahead. Tokens are judged by it, everything else by the database's."""
        return (datetime.now(UTC) - self.now()).total_seconds()

    async def keep(self, database: Database) -> None:
        """Look at once and ever again. While the database is away the monotonic clock goes on alone."""
        while True:
            try:
                await self.synchronise(database)
            except (*UNREACHABLE, SQLAlchemyError) as error:
                log.warning("clock not synchronised", error=type(error).__name__)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                await asyncio.sleep(REFRESH_SECONDS)


async def _look(connection: AsyncConnection) -> tuple[float, tuple[datetime, float]]:
    """How many seconds it took, and the database's time at which monotonic second."""
    asked = time.monotonic()
    instant = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    answered = time.monotonic()
    return answered - asked, (instant, (asked + answered) / 2)
