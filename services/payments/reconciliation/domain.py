"""What a comparison with Polar can find, and from when on it must look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from services.chassis import problems

MARGIN = timedelta(hours=1)
"""Looked back behind the last comparison's start: Polar's clock is not ours, and a list may lag behind what it lists."""
SETTLES_WITHIN = timedelta(days=1)
"""A refund that is pending for longer is worth a look. Banks take a day or two at most."""
PATIENCE = timedelta(minutes=10)
"""Until a page or a refund that was begun counts as stuck: the first two tiers of retries are through by then."""

Repair = Literal["order taken up", "refunds taken up", "page shown", "page ended"]
Kind = Literal[
    "order quarantined",
    "order not at Polar",
    "order unreadable",
    "charge without order",
    "refund owed",
    "refund stuck",
    "page stuck",
    "page unreadable",
    "webhooks disabled",
]
OVERDUE = "comparison overdue"
"""Comparisons begun since the last that came to a good end, and that failed or should long have ended. Counted, and listed by none."""
KINDS: tuple[str, ...] = (*get_args(Kind), OVERDUE)
FOUND_IN_FULL: tuple[Kind, ...] = ("order not at Polar", "order unreadable", "charge without order", "page unreadable")
"""What a comparison of the last minutes may not come across: it says nothing of those."""
EVERYTHING_EVERY = timedelta(days=1)


class SinceIsInTheFuture(problems.Invalid):
    """Nothing was made since then: a comparison would see nothing, and say that all is well."""


class ReconciliationNotFound(problems.NotFound):
    """There was no such comparison with Polar."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a comparison leaves: a person must see to it. `subject` is the id of an order, a refund or a booking."""

    kind: Kind
    subject: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison that came to a good end. `since` is None when it was of everything."""

    since: datetime | None
    started_at: datetime


def covered_until(comparisons: Iterable[Compared]) -> datetime | None:
    """Up to when nothing was left out. The oldest first. One that does not reach back to those before it leaves a gap, and counts for
    nothing.
    """
    covered: datetime | None = None
    for one in comparisons:
        if one.since is None or (covered is not None and one.since <= covered):
            covered = max(covered or one.started_at, one.started_at)
    return covered


def since(comparisons: Sequence[Compared], now: datetime) -> datetime | None:
    """From when on to compare: all of it when that was not done within a day."""
    in_full = [one.started_at for one in comparisons if one.since is None]
    if not in_full or max(in_full) <= now - EVERYTHING_EVERY:
        return None
    covered = covered_until(comparisons)
    return covered and covered - MARGIN
