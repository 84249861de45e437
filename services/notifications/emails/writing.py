"""A mail is written: rendered once for whoever it goes to, stored, and told of, so that a worker sends it.

Rendered once: new templates or a new profile between two tries would be another request under the same key, which Resend refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from services.chassis.retrying import Overtaken
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails import events, invitations, rendering
from services.notifications.emails.domain import Kind, State, Story, is_one_address
from services.notifications.emails.tables import Email
from services.notifications.recipients.queries import Recipient, RecipientErased, recipient
from services.notifications.suppressions.queries import is_suppressed

log = structlog.get_logger()


class RecipientUnknown(Overtaken):
    """The profile travels on another topic, and has not arrived yet."""


class AddressNotUsable(Exception):
    """The profile's address is not one address."""


@dataclass(frozen=True)
class Letterhead:
    """What every mail of an installation has in common. `staff` reads what concerns no player."""

    sender: str
    staff: Recipient
    booking_page: str | None = None


@dataclass(frozen=True)
class Draft:
    """A mail as it is stored; without a payload it is not sent."""

    state: State
    payload: dict[str, Any] = field(default_factory=dict)
    state_reason: str | None = None


@dataclass(frozen=True)
class Copy:
    """Staff asked for a mail again. `number` counts the copies of one mail."""

    of: UUID
    number: int
    requested_by: UUID
    reason: str


async def write(
    work: UnitOfWork, story: Story, letterhead: Letterhead, *, is_news: bool = True, copy: Copy | None = None
) -> UUID | None:
    """Once for each kind, booking and version, whoever asks and however often: the id of the new mail, or `None`.

    What is no news any more, what nobody can be written to about, and what cannot be written is stored all the same, as the record that
    it was not sent: the booking's news stands, so that nothing older is sent either. Raises `RecipientUnknown`.
    """
    email_id = uuid7()
    draft = await _draft(work, email_id, story, letterhead) if is_news else Draft(State.SUPERSEDED)
    row = insert(Email).values(_row(work, email_id, story, copy) | vars(draft))
    written = await work.session.scalar(row.on_conflict_do_nothing(constraint="emails_once").returning(Email.id))
    if written and draft.state is State.QUEUED:
        work.publish(events.mail_queued(email_id, story))
    if written and draft.state in (State.SUPPRESSED, State.REFUSED):
        work.publish(events.mail_failed(email_id, story.booking.booking_id, story.kind, draft.state, work.now))
    return written


async def _draft(work: UnitOfWork, email_id: UUID, story: Story, letterhead: Letterhead) -> Draft:
    try:
        to = await _recipient(work, story, letterhead)
    except RecipientErased:
        return Draft(State.DROPPED)
    if await is_suppressed(work.session, to.email):
        return Draft(State.SUPPRESSED)
    try:
        return Draft(State.QUEUED, _request(work.now, email_id, story, to, letterhead))
    except Exception as error:  # pure, so the transaction is sound, and a bug of ours holds up no other mail
        log.exception("ALERT: a mail cannot be written", email_id=str(email_id), kind=story.kind)
        return Draft(State.REFUSED, state_reason=type(error).__name__)


def _request(now: datetime, email_id: UUID, story: Story, to: Recipient, head: Letterhead) -> dict[str, Any]:
    """Resend's. The tags come back in its webhooks, and find the mail in its dashboard. Raises `AddressNotUsable`. Pure."""
    if not is_one_address(to.email):
        raise AddressNotUsable(f"the profile of user {story.booking.user_id} has no usable address")
    mail = rendering.render(story, to, now, head.booking_page)
    attachment = invitations.attachment(story, to, head.sender, now)
    tags = {"booking_id": str(story.booking.booking_id), "kind": str(story.kind), "email_id": str(email_id)}
    return {
        "from": head.sender,
        "to": [to.email],
        "subject": mail.subject,
        "text": mail.text,
        "html": mail.html,
        "tags": [{"name": name, "value": value} for name, value in tags.items()],
        **({"attachments": [attachment]} if attachment else {}),
    }


async def _recipient(work: UnitOfWork, story: Story, letterhead: Letterhead) -> Recipient:
    if story.kind is Kind.REFUND_FAILED:
        return letterhead.staff
    user_id = story.booking.user_id
    found = await recipient(work.session, user_id)
    if found is None:
        raise RecipientUnknown(f"the profile of user {user_id} has not arrived yet")
    return found


def _row(work: UnitOfWork, email_id: UUID, story: Story, copy: Copy | None) -> dict[str, Any]:
    return {
        "id": email_id,
        "kind": story.kind,
        "booking_id": story.booking.booking_id,
        "version": story.version,
        "refund_id": story.refund_id,
        "venue_id": story.booking.venue_id,
        "user_id": None if story.kind is Kind.REFUND_FAILED else story.booking.user_id,
        "about": story.model_dump(mode="json"),
        "created_at": work.now,
        "useless_after": story.useless_after,
        **(_request_of(copy) if copy else {}),
    }


def _request_of(copy: Copy) -> dict[str, Any]:
    return {
        "copy": copy.number,
        "copied_from": copy.of,
        "requested_by": copy.requested_by,
        "request_reason": copy.reason,
    }
