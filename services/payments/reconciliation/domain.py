"""What a comparison with Polar can find, and from when on it must look."""

from __future__ import annotations

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
    "webhooks disabled",
]
KINDS: tuple[Kind, ...] = get_args(Kind)


class ReconciliationNotFound(problems.NotFound):
    """There was no such comparison with Polar."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a comparison leaves: a person must see to it. `subject` is the id of an order, a refund or a booking."""

    kind: Kind
    subject: str
    detail: str = ""


def since(last_started_at: datetime | None) -> datetime | None:
    """From when on to compare: all of it when nothing ever was."""
    return last_started_at and last_started_at - MARGIN
