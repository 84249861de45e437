"""The rules of mailing: what a mail tells, and whether it may go out now.

queued ──► sent ──► delayed ──► delivered ──► opened ──► clicked       as the provider reports, in whatever order it does
   │         └────────┴───────────┴──► bounced, failed, suppressed; complained above all
   ├──► superseded   later news of the booking came first
   ├──► expired      it would have come too late to be of use
   ├──► dropped      its recipient was erased
   ├──► suppressed   its address bounced or complained before
   ├──► refused      it cannot be written, or the provider will never take it: a person mends the cause and asks for it again
   └──► unknown      it was tried, the outcome never arrived, and trying again could mail twice: a person decides
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from courtside_contracts.booking import BookingEvent

SAFE_TO_REPEAT = timedelta(hours=23)
"""Resend remembers an Idempotency-Key for 24 h after its first use. An hour less, since its clock is not ours."""

_BREAKING = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")
_ADDRESS = re.compile(r"[^@\s\x00-\x1f,;<>\"]+@[^@\s\x00-\x1f,;<>\"]+")
NAME_MAX_CHARS = 80
REASON_MAX_CHARS = 500


class Kind(StrEnum):
    BOOKING_HELD = "booking-held"
    BOOKING_CONFIRMED = "booking-confirmed"
    BOOKING_RESCHEDULED = "booking-rescheduled"
    BOOKING_CANCELLED = "booking-cancelled"
    COURT_CLOSED = "court-closed"
    BOOKING_EXPIRED = "booking-expired"
    BOOKING_REMINDER = "booking-reminder"
    REFUND_DONE = "refund-done"
    REFUND_FAILED = "refund-failed"
    """To the club's staff."""


INVITING = (Kind.BOOKING_CONFIRMED, Kind.BOOKING_RESCHEDULED)
OF_MONEY = (Kind.REFUND_DONE, Kind.REFUND_FAILED)
"""They stay true whatever becomes of the booking."""


class State(StrEnum):
    QUEUED = "queued"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    DROPPED = "dropped"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    SENT = "sent"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    BOUNCED = "bounced"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    COMPLAINED = "complained"


WAITS = (State.QUEUED, State.REFUSED)
"""It may still go out: what was refused can be redriven."""

REPORTED: dict[State, int] = {
    State.SENT: 1,
    State.DELAYED: 2,
    State.DELIVERED: 3,
    State.OPENED: 4,
    State.CLICKED: 5,
    State.BOUNCED: 6,
    State.FAILED: 6,
    State.SUPPRESSED: 6,
    State.COMPLAINED: 7,
}
"""What the provider says, by rank: of two reports the higher stands, and of two ends the first."""


def after_report(state: State, reported: State) -> State:
    """Reports come more than once and in any order; one that says less than is known changes nothing."""
    return reported if REPORTED[reported] > REPORTED.get(state, 0) else state


class Refund(BaseModel):
    """`amount_minor` is in minor units of `currency` (ISO 4217); `order_id` is the payment provider's."""

    model_config = ConfigDict(frozen=True)

    refund_id: str
    order_id: str
    amount_minor: int
    currency: str
    failure: str = ""
    """Why not, in the payment provider's words."""


class Story(BaseModel):
    """What a mail tells, without who reads it: it can be told again, to another address or in another language."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    booking: BookingEvent
    moved_from: AwareDatetime | None = None
    reason: str | None = None
    """The club's own words for why it cancelled."""
    refund: Refund | None = None
    withdraws_invitation: bool = False

    @property
    def version(self) -> int:
        """0 for what is told of money: that is no news of the booking's."""
        return 0 if self.kind in OF_MONEY else self.booking.version

    @property
    def refund_id(self) -> str:
        return self.refund.refund_id if self.refund else ""

    @property
    def useless_after(self) -> datetime | None:
        """From when on it would only confuse: nobody can pay for a hold that is over, or be reminded of a game that has begun."""
        match self.kind:
            case Kind.BOOKING_HELD:
                return self.booking.hold_expires_at
            case Kind.BOOKING_RESCHEDULED if self.booking.status == "held":
                return self.booking.hold_expires_at
            case Kind.BOOKING_REMINDER:
                return self.booking.starts_at
            case _:
                return None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail that waits, and what matters for whether it may go out.

    `unsure_since` is the first try whose outcome is not known to be a no. `news_version` is the newest version of the booking that its
    player must hear of. `others_under_way` says that another mail of the same booking is being sent right now, `is_suppressed` that its
    address gets no mail any more.
    """

    state: State
    version: int
    news_version: int
    useless_after: datetime | None = None
    unsure_since: datetime | None = None
    others_under_way: bool = False
    is_suppressed: bool = False


class Step(Enum):
    """What is to be done with a stored mail."""

    SEND = auto()
    WAIT = auto()
    NOTHING = auto()
    SUPERSEDE = auto()
    EXPIRE = auto()
    SUPPRESS = auto()
    GIVE_UP = auto()


ENDS = {
    Step.SUPERSEDE: State.SUPERSEDED,
    Step.EXPIRE: State.EXPIRED,
    Step.SUPPRESS: State.SUPPRESSED,
    Step.GIVE_UP: State.UNKNOWN,
}


def next_step(mail: Waiting, now: datetime) -> Step:  # noqa: PLR0911 - one return for each rule
    if mail.state not in WAITS:
        return Step.NOTHING
    if mail.version and mail.version < mail.news_version:
        return Step.SUPERSEDE
    if mail.unsure_since is not None and now - mail.unsure_since > SAFE_TO_REPEAT:
        return Step.GIVE_UP
    if mail.useless_after is not None and mail.useless_after <= now:
        return Step.EXPIRE
    if mail.is_suppressed:
        return Step.SUPPRESS
    if mail.others_under_way:
        return Step.WAIT
    return Step.SEND


def kind_of_cancellation(cancelled_by: Literal["player", "club"]) -> Kind:
    """The club's cancellation is an apology, the player's own a receipt."""
    return Kind.COURT_CLOSED if cancelled_by == "club" else Kind.BOOKING_CANCELLED


def free_cancellation_until(booking: BookingEvent) -> datetime:
    """By the policy that was frozen with the booking; in instants, so that a change of the clocks takes no hour away."""
    return booking.starts_at - timedelta(hours=booking.cancellation_window_hours)


def one_line(text: str, max_chars: int = NAME_MAX_CHARS) -> str:
    """Words as somebody typed them, without what could break out of their line or turn the text around; cut when absurdly long."""
    line = _BREAKING.sub(" ", text).strip()
    return line if len(line) <= max_chars else line[: max_chars - 1].rstrip() + "…"


def is_one_address(email: str) -> bool:
    """Nothing that a mail header could take for a second recipient or a second header."""
    return _ADDRESS.fullmatch(email) is not None
