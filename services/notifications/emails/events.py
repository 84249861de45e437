"""From our rows to what others may know: ids, and never an address."""

from __future__ import annotations

from courtside_contracts.notification import NotificationSent
from services.notifications.emails.tables import Email


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
