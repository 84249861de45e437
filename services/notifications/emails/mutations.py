"""What happens to a mail after it was written, one transaction each: sent, set aside, given up, reported on, forgotten."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import select, update

from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails import events
from services.notifications.emails.domain import ENDS, SAFE_TO_REPEAT, WAITS, State, Step, after_report
from services.notifications.emails.tables import Email
from services.notifications.suppressions import mutations as suppressions
from services.notifications.suppressions.domain import Cause

log = structlog.get_logger()

SUPPRESSING: dict[State, Cause] = {
    State.BOUNCED: "bounced",
    State.COMPLAINED: "complained",
    State.SUPPRESSED: "suppressed",
}
PASSING_BOUNCE = "Transient"
"""Resend's word for a full mailbox and the like: the address is good."""
GIVE_UP_BATCH = 100


async def set_aside(work: UnitOfWork, email_id: UUID, step: Step) -> None:
    """It is not sent, and will not be."""
    email = await work.session.get_one(Email, email_id, with_for_update=True)
    if step not in ENDS or email.state not in WAITS:
        return
    email.state = ENDS[step]
    if step is Step.SUPPRESS:
        work.publish(events.mail_failed(email.id, email.booking_id, email.kind, State.SUPPRESSED, work.now))


async def mark_sent(work: UnitOfWork, email_id: UUID, provider_id: str, at: datetime | None = None) -> None:
    """And tell of it, once: a copy of the event that came under another id, or a webhook that was faster, finds the mail marked."""
    email = await work.session.get_one(Email, email_id, with_for_update=True)
    email.under_way_until = None
    if email.provider_id is None:  # whatever was decided while it was on its way: it is out
        email.state, email.provider_id, email.sent_at = State.SENT, provider_id, at or work.now
        work.publish(events.mail_sent(email))


async def give_up(work: UnitOfWork) -> int:
    """One batch of mails whose outcome is not known and never will be by itself: their records have come to the ladder's end, or wait
    where nothing looks at them in time.
    """
    forgotten = (Email.unsure_since < work.now - SAFE_TO_REPEAT) & Email.state.in_(WAITS)
    found = select(Email).where(forgotten).limit(GIVE_UP_BATCH).with_for_update(skip_locked=True)
    mails = (await work.session.scalars(found)).all()
    for email in mails:
        email.state, email.under_way_until = State.UNKNOWN, None
        log.error("mail given up: its outcome is unknown", email_id=str(email.id))
    return len(mails)


async def take_report(
    work: UnitOfWork, email_id: UUID, provider_id: str, report: State, reason: str | None, at: datetime
) -> None:
    """What the provider says became of a mail. `at` is when, by its clock.

    An address is judged by every report, a mail by the highest: a mailbox that was full at first may turn out not to be there at all.
    """
    await mark_sent(work, email_id, provider_id, at)
    email = await work.session.get_one(Email, email_id)
    await _judge_address(work, email, report, reason)
    reached = after_report(State(email.state), report)
    if reached == email.state:
        return
    email.state, email.state_reason, email.reported_at = reached, reason, at
    if told := events.mail_reported(email, at):
        work.publish(told)


async def _judge_address(work: UnitOfWork, email: Email, report: State, reason: str | None) -> None:
    if report in SUPPRESSING and reason != PASSING_BOUNCE and email.payload:
        shown_by = {"email_id": email.id, "user_id": email.user_id, "venue_id": email.venue_id}
        await suppressions.suppress(work, email.payload["to"][0], SUPPRESSING[report], **shown_by)


async def forget(work: UnitOfWork, user_id: UUID) -> None:
    """Mails keep that they were sent, not to whom or what they said. One that still waits is not sent any more."""
    theirs = update(Email).where(Email.user_id == user_id)
    waits = Email.state.in_(WAITS)
    await work.session.execute(theirs.where(waits).values(state=State.DROPPED, payload={}, about={}))
    await work.session.execute(theirs.where(~waits).values(payload={}, about={}))
