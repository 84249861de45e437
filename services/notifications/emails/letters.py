"""What each kind of mail is made of: names of phrases and facts, before any words. Pure.

A note is a pair of phrases: its heading `<name>_title`, and `<name>` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.notifications.emails.domain import Kind, Story, free_cancellation_until

UNASKED = ("paid_too_late", "paid_twice", "paid_elsewhere")
"""Why money goes back that nobody asked for: without a word of it, the mail would be a riddle."""
FACTS = ("court", "venue", "duration", "price", "reference")


class Surface(StrEnum):
    """The court that a mail's head is painted as: its mood at a glance."""

    GRASS = "grass"
    """All is well."""
    HARD = "hard"
    """There is something to do, or something new."""
    CLAY = "clay"
    """It is off."""


@dataclass(frozen=True)
class Letter:
    surface: Surface
    notes: tuple[str, ...]
    facts: tuple[str, ...] = FACTS
    button: str | None = None
    """A phrase; where the installation has no page of a booking, there is none."""
    is_live: bool = True
    """The time still counts: otherwise it is shown struck out."""


def letter(story: Story, now: datetime) -> Letter:
    return LETTERS[story.kind](story, now)


def _held(story: Story, now: datetime) -> Letter:  # noqa: ARG001
    return Letter(Surface.HARD, ("pay",), button="go_to_payment")


def _confirmed(story: Story, now: datetime) -> Letter:
    return Letter(Surface.GRASS, (_cancellation(story, now), "invitation"), button="see_booking")


def _rescheduled(story: Story, now: datetime) -> Letter:
    facts = ("moved_from", *FACTS)
    if story.booking.status == "held":
        return Letter(Surface.HARD, ("pay",), facts, button="go_to_payment")
    return Letter(Surface.HARD, (_cancellation(story, now), "new_invitation"), facts, button="see_booking")


def _cancelled(story: Story, now: datetime) -> Letter:  # noqa: ARG001
    return Letter(Surface.CLAY, (_refund(story),), is_live=False)


def _closed(story: Story, now: datetime) -> Letter:  # noqa: ARG001
    notes = ("club_says", _refund(story)) if story.reason else (_refund(story),)
    return Letter(Surface.CLAY, notes, is_live=False)


def _expired(story: Story, now: datetime) -> Letter:  # noqa: ARG001
    return Letter(Surface.CLAY, ("paid_late",), is_live=False)


def _reminder(story: Story, now: datetime) -> Letter:
    return Letter(Surface.GRASS, (_cancellation(story, now),), button="see_booking")


def _refund_done(story: Story, now: datetime) -> Letter:  # noqa: ARG001
    why = story.refund.reason if story.refund else ""
    notes = (*((why,) if why in UNASKED else ()), "when_it_shows")
    return Letter(Surface.HARD, notes, ("refund", *FACTS), is_live=story.booking.status == "confirmed")


def _refund_failed(story: Story, now: datetime) -> Letter:  # noqa: ARG001
    facts = ("refund", "order", "failure", *FACTS)
    return Letter(Surface.CLAY, ("what_to_do",), facts, is_live=story.booking.status == "confirmed")


def _cancellation(story: Story, now: datetime) -> str:
    return "still_free" if now < free_cancellation_until(story.booking) else "no_longer_free"


def _refund(story: Story) -> str:
    return "refund_coming" if story.booking.refunds_due else "no_refund"


LETTERS: Mapping[Kind, Callable[[Story, datetime], Letter]] = {
    Kind.BOOKING_HELD: _held,
    Kind.BOOKING_CONFIRMED: _confirmed,
    Kind.BOOKING_RESCHEDULED: _rescheduled,
    Kind.BOOKING_CANCELLED: _cancelled,
    Kind.COURT_CLOSED: _closed,
    Kind.BOOKING_EXPIRED: _expired,
    Kind.BOOKING_REMINDER: _reminder,
    Kind.REFUND_DONE: _refund_done,
    Kind.REFUND_FAILED: _refund_failed,
}
