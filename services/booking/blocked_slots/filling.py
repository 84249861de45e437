"""The one promise of a block: each instant of it is occupied, by the block itself, by another, or by a booking that was let stand.

So the exclusion constraint stays the only judge of who has a court, and time that such a booking gives up is blocked, not free: whoever
deletes an occupancy calls `fill` for its time in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.blocked_slots.domain import Span
from services.chassis import problems

STATEMENT = text(files(__package__).joinpath("fill.sql").read_text())
ROUNDS_MAX = 20
"""Each round waits for those who were faster, so more than a few means a court that is fought for as no court is."""


class CourtContended(problems.Unavailable):
    """So many bookings of the court are under way that the block found no moment; the same request will do."""


@dataclass(frozen=True)
class Found:
    """How it was when the statement began: pieces that blocks wanted and nobody had, and the bookings there that are not over."""

    free: int
    booking_ids: frozenset[UUID]


async def fill(session: AsyncSession, spans: Sequence[Span], now: datetime) -> None:
    """Let blocks take what is free of these spans."""
    for _ in range(ROUNDS_MAX):
        if (await take_free(session, spans, now)).free == 0:
            return
    raise CourtContended("Too many want this court at once. Nothing was changed; try again.")


async def take_free(session: AsyncSession, spans: Sequence[Span], now: datetime) -> Found:
    """One round of it."""
    columns = {
        "court_ids": [span.court_id for span in spans],
        "starts": [span.starts_at for span in spans],
        "ends": [span.ends_at for span in spans],
        "now": now,
    }
    row = (await session.execute(STATEMENT, columns)).one()
    return Found(row.free, frozenset(row.booking_ids))
