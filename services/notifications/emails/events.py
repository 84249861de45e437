"""From our rows to what others may know: ids, and never an address."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from courtside_contracts.notification import (
    NotificationBounced,
    NotificationDelivered,
    NotificationEvent,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
)
from services.notifications.emails.domain import State, Story
from services.notifications.emails.tables import Email


def mail_queued(email_id: UUID, story: Story) -> NotificationQueued:
    return NotificationQueued(booking_id=story.booking.booking_id, email_id=email_id, kind=story.kind)


def mail_failed(email_id: UUID, booking_id: UUID, kind: str, reason: str, at: datetime) -> NotificationFailed:
    return NotificationFailed(booking_id=booking_id, email_id=email_id, kind=kind, reason=reason, failed_at=at)


def mail_sent(email: Email) -> NotificationSent:
    assert email.provider_id is not None
    assert email.sent_at is not None
    return NotificationSent(
        booking_id=email.booking_id,
        email_id=email.id,
        kind=email.kind,
        provider_id=email.provider_id,
        sent_at=email.sent_at,
    )


def mail_reported(email: Email, at: datetime) -> NotificationEvent | None:
    """What the world may know of a report. That a mail was opened, or complained about, is between its reader and the club."""
    assert email.provider_id is not None
    about = {"booking_id": email.booking_id, "email_id": email.id, "kind": email.kind}
    match email.state:
        case State.DELIVERED:
            return NotificationDelivered(**about, provider_id=email.provider_id, delivered_at=at)
        case State.BOUNCED:
            reason = email.state_reason or "unknown"
            return NotificationBounced(**about, provider_id=email.provider_id, reason=reason, bounced_at=at)
        case State.FAILED | State.SUPPRESSED:
            return mail_failed(email.id, email.booking_id, email.kind, email.state, at)
        case _:
            return None
