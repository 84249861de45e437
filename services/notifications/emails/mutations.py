"""What happens to a mail after it was written, one transaction each: tried, sent, set aside, reported on, forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, select, update

from services.chassis.retrying import Failure, Fatal, NotTried
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings.queries import hold_news
from services.notifications.emails import events
from services.notifications.emails.actions import CALL_SECONDS, NotTaken, OtherMailUnderKey
from services.notifications.emails.domain import ENDS, REPORTED, State, Step, Waiting, after_report, next_step
from services.notifications.emails.pace import Pace
from services.notifications.emails.tables import Email
from services.notifications.suppressions import mutations as suppressions
from services.notifications.suppressions.domain import Cause

GRACE = timedelta(seconds=CALL_SECONDS + 5)
"""After its turn has come, a try has ended by then, or its process is dead."""

SUPPRESSING: dict[State, Cause] = {
    State.BOUNCED: "bounced",
    State.COMPLAINED: "complained",
    State.SUPPRESSED: "suppressed",
}
PASSING_BOUNCE = "Transient"
"""Resend's word for a full mailbox and the like: the address is good."""


@dataclass(frozen=True)
class Try:
    """`wait_seconds` is how long until its turn at the provider comes."""

    email_id: UUID
    step: Step
    payload: dict[str, Any]
    wait_seconds: float = 0.0
    first_unsure: bool = False
    """Before this try nothing was unsure."""


async def begin_try(work: UnitOfWork, email_id: UUID, pace: Pace) -> Try:
    """What to do with a mail now. A try is committed before the call: from then on its outcome may be unknown.

    Decided under the booking's row: while one mail of a booking is under way, no other one begins, and what was overtaken by later news
    never begins at all. Raises `NotTried` when the provider wants to be left alone.
    """
    email = await work.session.get_one(Email, email_id)
    news_version = await hold_news(work.session, email.booking_id)
    await work.session.refresh(email, with_for_update=True)
    step = next_step(await _waiting(work, email, news_version), work.now)
    if step is not Step.SEND:
        return Try(email_id, step, email.payload)
    wait = await pace.take_turn(work)
    first_unsure = email.unsure_since is None
    email.unsure_since = email.unsure_since or work.now
    email.under_way_until = work.now + wait + GRACE
    return Try(email_id, step, email.payload, wait.total_seconds(), first_unsure)


async def _waiting(work: UnitOfWork, email: Email, news_version: int) -> Waiting:
    others = select(
        exists().where(Email.booking_id == email.booking_id, Email.id != email.id, Email.under_way_until > work.now)
    )
    return Waiting(
        State(email.state),
        email.version,
        news_version,
        email.useless_after,
        email.unsure_since,
        others_under_way=bool(await work.session.scalar(others)),
    )


async def set_aside(work: UnitOfWork, email_id: UUID, step: Step) -> None:
    """It is not sent, and will not be."""
    email = await work.session.get_one(Email, email_id, with_for_update=True)
    if step in ENDS and email.state in (State.QUEUED, State.REFUSED):
        email.state = ENDS[step]


async def end_try(work: UnitOfWork, attempt: Try, failure: Failure, pace: Pace) -> None:
    """A try failed: what is certain now is written down, before the record goes on to where its failure leads."""
    email = await work.session.get_one(Email, attempt.email_id, with_for_update=True)
    email.under_way_until = None
    if attempt.first_unsure and isinstance(failure, NotTried | NotTaken | Fatal):
        email.unsure_since = None
    if isinstance(failure, OtherMailUnderKey):
        email.state = State.UNKNOWN
    elif isinstance(failure, Fatal) and email.state == State.QUEUED:
        email.state = State.REFUSED
        work.publish(events.mail_failed(email.id, email.booking_id, email.kind, State.REFUSED, work.now))
    if isinstance(failure, NotTried) and failure.retry_after:
        await pace.pause(work, failure.retry_after)


async def mark_sent(work: UnitOfWork, email_id: UUID, provider_id: str, at: datetime | None = None) -> None:
    """And tell of it, once: a copy of the event that came under another id, or a webhook that was faster, finds the mail marked."""
    email = await work.session.get_one(Email, email_id, with_for_update=True)
    email.under_way_until = None
    if email.state not in REPORTED:  # whatever was decided while it was on its way: it is out
        email.state, email.provider_id, email.sent_at = State.SENT, provider_id, at or work.now
        work.publish(events.mail_sent(email))


async def take_report(
    work: UnitOfWork, email_id: UUID, provider_id: str, report: State, reason: str | None, at: datetime
) -> None:
    """What the provider says became of a mail. `at` is when, by its clock."""
    await mark_sent(work, email_id, provider_id, at)
    email = await work.session.get_one(Email, email_id)
    reached = after_report(State(email.state), report)
    if reached == email.state:
        return
    email.state, email.state_reason, email.reported_at = reached, reason, at
    if told := events.mail_reported(email, at):
        work.publish(told)
    if reached in SUPPRESSING and reason != PASSING_BOUNCE and email.payload:
        shown_by = {"email_id": email.id, "user_id": email.user_id, "venue_id": email.venue_id}
        await suppressions.suppress(work, email.payload["to"][0], SUPPRESSING[reached], **shown_by)


async def forget(work: UnitOfWork, user_id: UUID) -> None:
    """Mails keep that they were sent, not to whom or what they said. One that still waits is not sent any more."""
    theirs = update(Email).where(Email.user_id == user_id)
    waits = Email.state.in_((State.QUEUED, State.REFUSED))
    await work.session.execute(theirs.where(waits).values(state=State.DROPPED, payload={}, about={}))
    await work.session.execute(theirs.where(~waits).values(payload={}, about={}))
