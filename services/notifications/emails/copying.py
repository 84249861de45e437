"""Staff ask for a mail again: its story is told anew, as a mail of its own that says who asked, and why."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select

from services.chassis import problems
from services.chassis.staff import Rights
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings.queries import hold_news
from services.notifications.emails import queries
from services.notifications.emails.domain import State, Story
from services.notifications.emails.tables import Email
from services.notifications.emails.writing import AddressNotUsable, Copy, Letterhead, write


class EmailNotFound(problems.NotFound):
    """There is no such mail."""


class EmailStillWaiting(problems.Conflict):
    """The mail has not been sent yet, and will be by itself."""


class EmailOutdated(problems.Conflict):
    """The booking has changed since, or the time has passed: what this mail says is not true any more."""


class ReaderGone(problems.Conflict):
    """The reader was erased: there is nobody to write to."""


class AddressSuppressed(problems.Conflict):
    """The reader's address bounced, or they complained: lift the suppression first, if they want mails again."""


class AddressMalformed(problems.Conflict):
    """The reader's profile has no address that a mail could go to."""


class EmailUnwritable(problems.Conflict):
    """The mail cannot be written, for a reason that the log tells: it is no fault of the reader's."""


REFUSALS = (EmailStillWaiting, EmailOutdated, ReaderGone, AddressSuppressed, AddressMalformed, EmailUnwritable)


async def copy(work: UnitOfWork, rights: Rights, email_id: UUID, reason: str, letterhead: Letterhead) -> Email:
    """Raises `EmailNotFound`, or one of `REFUSALS`."""
    email = await queries.visible(work.session, rights, email_id)
    if email is None:
        raise EmailNotFound("There is no such mail.", email_id=str(email_id))
    if not email.about:
        raise EmailOutdated("What it said is not kept any more.", email_id=str(email_id))
    story = Story.model_validate(email.about)
    await _refuse_untimely(work, email, story)
    asked = Copy(email.copied_from or email.id, await _next_number(work, email), rights.user_id, reason)
    written = await write(work, story, letterhead, copy=asked)
    assert written is not None, "the booking's row is held: nobody else took the number"
    return _sendable(await work.session.get_one(Email, written))


async def _refuse_untimely(work: UnitOfWork, email: Email, story: Story) -> None:
    """Under the booking's row, so that it stays as it is until the copy is written."""
    news_version = await hold_news(work.session, email.booking_id)
    if email.state == State.QUEUED:
        raise EmailStillWaiting("This mail has not been sent yet.", email_id=str(email.id))
    if story.version and story.version < news_version:
        raise EmailOutdated("The booking has changed since.", email_id=str(email.id), news_version=news_version)
    if story.useless_after is not None and story.useless_after <= work.now:
        raise EmailOutdated("Its time has passed.", email_id=str(email.id))


async def _next_number(work: UnitOfWork, email: Email) -> int:
    same = (
        (Email.kind == email.kind)
        & (Email.booking_id == email.booking_id)
        & (Email.version == email.version)
        & (Email.refund_id == email.refund_id)
    )
    return (await work.session.scalar(select(func.max(Email.copy)).where(same)) or 0) + 1


def _sendable(copied: Email) -> Email:
    """What cannot be sent is refused, and with it the copy: nobody waits for a mail that never comes."""
    if copied.state == State.DROPPED:
        raise ReaderGone("The reader was erased.", email_id=str(copied.copied_from))
    if copied.state == State.SUPPRESSED:
        raise AddressSuppressed("The reader's address is suppressed.", email_id=str(copied.copied_from))
    if copied.state == State.REFUSED:
        if copied.state_reason == AddressNotUsable.__name__:
            raise AddressMalformed("The reader's profile has no usable address.", email_id=str(copied.copied_from))
        raise EmailUnwritable("The mail cannot be written.", email_id=str(copied.copied_from))
    return copied
