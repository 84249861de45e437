"""The life of a booking as one table: state x trigger -> state and event. What is not in it is refused with the state.

`python -m services.booking.bookings.life_cycle` writes it for people; `docs/life-cycle.md` is what it wrote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from services.chassis import problems

Status = Literal["held", "confirmed", "cancelled", "expired", "completed"]
Trigger = Literal["pay", "refuse payment", "lose payment", "expire", "cancel", "reschedule", "complete"]


class TransitionNotPossible(problems.Conflict):
    """The booking is in a state in which this cannot happen; `booking_status` says which."""


@dataclass(frozen=True)
class Transition:
    """`when` is the rule that the domain checks; what it raises otherwise stands beside it."""

    to: Status
    event: str
    when: str
    otherwise: str = ""


BEGINNINGS: Mapping[Status, Transition] = {
    "held": Transition("held", "booking.held.v1", "the slot is free and the player has a seat", "slot-already-taken"),
    "confirmed": Transition(
        "confirmed", "booking.confirmed.v1", "the same, and there is nothing to pay", "slot-already-taken"
    ),
}

TRANSITIONS: Mapping[tuple[Status, Trigger], Transition] = {
    ("held", "pay"): Transition("confirmed", "booking.confirmed.v1", "the frozen price is paid"),
    ("held", "expire"): Transition("expired", "booking.expired.v1", "the hold is over"),
    ("held", "cancel"): Transition("cancelled", "booking.cancelled.v1", "always: nothing is paid"),
    ("confirmed", "refuse payment"): Transition("confirmed", "booking.refund_due.v1", "a second payment came"),
    ("confirmed", "lose payment"): Transition(
        "cancelled", "booking.cancelled.v1", "all that was paid for it has gone back"
    ),
    ("confirmed", "cancel"): Transition(
        "cancelled", "booking.cancelled.v1", "by the club, or in the window by the player", "cancellation-window-closed"
    ),
    ("confirmed", "reschedule"): Transition(
        "confirmed", "booking.rescheduled.v1", "in the window, and the new slot is free", "cancellation-window-closed"
    ),
    ("confirmed", "complete"): Transition("completed", "booking.completed.v1", "its time is over"),
    ("expired", "pay"): Transition(
        "confirmed", "booking.confirmed.v1", "the court, a seat and the time are still there"
    ),
    ("expired", "refuse payment"): Transition("expired", "booking.refund_due.v1", "otherwise"),
    ("cancelled", "refuse payment"): Transition("cancelled", "booking.refund_due.v1", "a payment came after all"),
    ("completed", "refuse payment"): Transition("completed", "booking.refund_due.v1", "a second payment came"),
}


def follow(status: Status, trigger: Trigger) -> Status:
    """Where the trigger leads from this state. Raises `TransitionNotPossible`."""
    transition = TRANSITIONS.get((status, trigger))
    if transition is None:
        raise TransitionNotPossible(f"The booking is {status}: it cannot {trigger} now.", booking_status=status)
    return transition.to


def document() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# The life of a booking\n"
    yield "Written by `python -m services.booking.bookings.life_cycle > docs/life-cycle.md`. Every pair of state and trigger that is not"
    yield "here is refused: over HTTP as 409 `transition-not-possible` with `booking_status`.\n"
    yield "| from | trigger | when | to | event | otherwise |"
    yield "|---|---|---|---|---|---|"
    for begun in BEGINNINGS.values():
        yield f"| - | hold | {begun.when} | {begun.to} | `{begun.event}` | 409 `{begun.otherwise}` |"
    for status in get_args(Status):
        for trigger in get_args(Trigger):
            if found := TRANSITIONS.get((status, trigger)):
                otherwise = f"409 `{found.otherwise}`" if found.otherwise else ""
                yield f"| {status} | {trigger} | {found.when} | {found.to} | `{found.event}` | {otherwise} |"


if __name__ == "__main__":
    print(document(), end="")  # noqa: T201
