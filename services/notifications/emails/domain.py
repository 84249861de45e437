"""The rules of mailing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto

from courtside_contracts.booking import BookingEvent

BOOKING_CONFIRMED = "booking-confirmed"

SAFE_TO_REPEAT = timedelta(hours=23)
"""Resend remembers an Idempotency-Key for 24 h after its first use. An hour less, since its clock is not ours."""

_BREAKING = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_ADDRESS = re.compile(r"[^@\s\x00-\x1f,;<>\"]+@[^@\s\x00-\x1f,;<>\"]+")
NAME_MAX_CHARS = 80


class State(StrEnum):
    QUEUED = "queued"
    SENT = "sent"
    UNKNOWN = "unknown"
    """It was tried, the outcome never arrived, and trying again could mail twice. A person decides."""
    DROPPED = "dropped"
    """Its recipient was erased before it went out."""


class Step(Enum):
    """What is to be done with a stored mail."""

    SEND = auto()
    NOTHING = auto()
    GIVE_UP = auto()


def next_step(state: str, first_tried_at: datetime | None, now: datetime) -> Step:
    if state != State.QUEUED:
        return Step.NOTHING
    if first_tried_at is not None and now - first_tried_at > SAFE_TO_REPEAT:
        return Step.GIVE_UP
    return Step.SEND


def free_cancellation_until(booking: BookingEvent) -> datetime:
    """By the policy that was frozen with the booking; in instants, so that a change of the clocks takes no hour away."""
    return booking.starts_at - timedelta(hours=booking.cancellation_window_hours)


def one_line(text: str) -> str:
    """A name as somebody typed it, without what could break out of its line or turn the text around it; cut when absurdly long."""
    line = _BREAKING.sub(" ", text).strip()
    return line if len(line) <= NAME_MAX_CHARS else line[: NAME_MAX_CHARS - 1].rstrip() + "…"


def is_one_address(email: str) -> bool:
    """Nothing that a mail header could take for a second recipient or a second header."""
    return _ADDRESS.fullmatch(email) is not None
