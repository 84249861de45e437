"""One try to send a mail, a transaction for each of its ends: begun, gone on with when its turn has come, failed.

A try is committed before the call: from then on its outcome may be unknown. It is known by the instant until which it is under way:
whoever finds another one in the row has been overtaken by a copy of the same record, and leaves that one alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import exists, select

from services.chassis.retrying import Failure, Fatal, NotTried
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings.queries import hold_news
from services.notifications.emails import events
from services.notifications.emails.actions import NotTaken, OtherMailUnderKey
from services.notifications.emails.domain import WAITS, State, Step, Waiting, next_step
from services.notifications.emails.pace import LeftAlone, Pace
from services.notifications.emails.tables import Email
from services.notifications.suppressions.queries import is_suppressed

log = structlog.get_logger()

SLACK = timedelta(seconds=5)
"""Beyond the call itself: after its turn has come and that long, a try has ended, or its process is dead."""


class NoSuchMail(Exception):
    """Its row is younger than the backup that the database was restored from: what it told of is heard again, and written anew."""


class CopyUnderWay(NotTried):
    """A copy of this record began a try of its own."""


@dataclass(frozen=True)
class Try:
    """`wait_seconds` is how long until its turn at the provider comes. `call_within` is how long a call takes at most."""

    email_id: UUID
    step: Step
    payload: dict[str, Any]
    call_within: timedelta
    wait_seconds: float = 0.0
    first_unsure: bool = False
    """Before this try nothing was unsure."""
    until: datetime | None = None
    """To everybody else it is under way until then."""

    def may_call(self, now: datetime) -> bool:
        """Its turn has come, and the call ends while the try is under way. A process may have been held up for any time."""
        return self.wait_seconds == 0 and self.until is not None and now + self.call_within <= self.until


async def begin_try(work: UnitOfWork, email_id: UUID, pace: Pace, call_within: timedelta) -> Try:
    """What to do with a mail now.

    Decided under the booking's row: while one mail of a booking is under way, no other one begins, and what was overtaken by later news
    never begins at all. Raises `NotTried` when the provider wants to be left alone, and `NoSuchMail`.
    """
    email = await _hold(work, email_id)
    attempt = Try(email_id, await _next_step(work, email), email.payload, call_within)
    if attempt.step is not Step.SEND:
        return attempt
    wait = await pace.take_turn(work)
    return _under_way(work, email, replace(attempt, first_unsure=email.unsure_since is None), wait)


async def go_on(work: UnitOfWork, attempt: Try, pace: Pace) -> Try:
    """Its turn has come: decided anew, since much may have happened while it was waited for, and more while the process was held up.

    A turn that was taken before the provider asked to be left alone is given back for a later one. Raises `NotTried`.
    """
    email = await _hold(work, attempt.email_id)
    if email.under_way_until != attempt.until and email.state in WAITS:
        raise CopyUnderWay("a copy of this record has begun a try of its own", SLACK)
    _not_tried(email, attempt)
    attempt = replace(attempt, step=await _next_step(work, email))
    if attempt.step is not Step.SEND:
        email.under_way_until = None
        return attempt
    wait = await pace.take_turn(work) if await pace.is_paused(work) else timedelta(0)
    return _under_way(work, email, attempt, wait)


async def end_try(work: UnitOfWork, attempt: Try, failure: Failure, pace: Pace) -> None:
    """A try failed: what is certain now is written down, before the record goes on to where its failure leads."""
    email = await work.session.get_one(Email, attempt.email_id, with_for_update=True)
    if email.under_way_until == attempt.until:
        email.under_way_until = None
        if isinstance(failure, NotTried | NotTaken | Fatal):
            _not_tried(email, attempt)
    if isinstance(failure, OtherMailUnderKey):
        _alert(email)
    elif isinstance(failure, Fatal) and email.state == State.QUEUED:
        email.state = State.REFUSED
        work.publish(events.mail_failed(email.id, email.booking_id, email.kind, State.REFUSED, work.now))
    if isinstance(failure, NotTried) and not isinstance(failure, LeftAlone | CopyUnderWay) and failure.retry_after:
        await pace.pause(work, failure.retry_after)


def _alert(email: Email) -> None:
    """A bug of ours. Whether this mail is out, only a person can find out, unless that is known already."""
    log.error("ALERT: another mail went out under the key of this one", email_id=str(email.id), state=email.state)
    if email.state in WAITS:
        email.state = State.UNKNOWN


async def _hold(work: UnitOfWork, email_id: UUID) -> Email:
    """The booking's row first, as everybody does."""
    if (email := await work.session.get(Email, email_id)) is None:
        raise NoSuchMail
    await hold_news(work.session, email.booking_id)
    await work.session.refresh(email, with_for_update=True)
    return email


def _under_way(work: UnitOfWork, email: Email, attempt: Try, wait: timedelta) -> Try:
    email.unsure_since = email.unsure_since or work.now
    email.under_way_until = until = work.now + wait + attempt.call_within + SLACK
    return replace(attempt, wait_seconds=wait.total_seconds(), until=until)


def _not_tried(email: Email, attempt: Try) -> None:
    if attempt.first_unsure:
        email.unsure_since = None


async def _next_step(work: UnitOfWork, email: Email) -> Step:
    others = select(
        exists().where(Email.booking_id == email.booking_id, Email.id != email.id, Email.under_way_until > work.now)
    )
    to = email.payload.get("to", ())
    waiting = Waiting(
        State(email.state),
        email.version,
        await hold_news(work.session, email.booking_id),
        email.useless_after,
        email.unsure_since,
        others_under_way=bool(await work.session.scalar(others)),
        is_suppressed=any([await is_suppressed(work.session, address) for address in to]),
    )
    return next_step(waiting, work.now)
