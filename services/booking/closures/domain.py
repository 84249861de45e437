"""A venue that is closed for a while, as for rain. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from services.chassis import problems

State = Literal["cancelling", "done"]
LONGEST = timedelta(days=31)
"""A longer one is a season's end: it is planned, and its bookings are not made."""


class ClosureNotFound(problems.NotFound):
    """There is no such closure."""


@dataclass(eq=False)
class Closure:
    """All courts of a venue for `[starts_at, ends_at)`. Blocked from the first moment; the bookings are cancelled in batches.

    `total` bookings were there at the beginning, and `cancelled` of them by the closure so far: a player who cancels first, or a hold
    that runs out, leaves fewer.
    """

    id: UUID
    venue_id: UUID
    starts_at: datetime
    ends_at: datetime
    reason: str
    created_by: UUID
    created_at: datetime
    state: State = "cancelling"
    total: int = 0
    cancelled: int = 0
    finished_at: datetime | None = None

    def finish(self, now: datetime) -> None:
        self.state, self.finished_at = "done", now
