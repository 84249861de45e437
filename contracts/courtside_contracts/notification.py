"""`notification.events`: what became of a message about a booking. Key: `booking_id`. No address and no text, only ids."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from pydantic import AwareDatetime

from courtside_contracts import topics
from courtside_contracts.envelope import Event


class NotificationEvent(Event):
    topic: ClassVar[str] = topics.NOTIFICATION_EVENTS.name
    source: ClassVar[str] = "/courtside/notifications"

    booking_id: UUID
    email_id: UUID
    kind: str
    """What the mail says: `booking-confirmed`. Open: more kinds will come."""

    @property
    def key(self) -> str:
        return str(self.booking_id)


class NotificationQueued(NotificationEvent):
    """A mail was written and waits for its turn at the mail provider. It is not sent when later news overtakes it."""

    type: ClassVar[str] = "notification.queued.v1"


class NotificationSent(NotificationEvent):
    """The mail provider took the mail; `provider_id` is its id there."""

    type: ClassVar[str] = "notification.sent.v1"

    provider_id: str
    sent_at: AwareDatetime


class NotificationDelivered(NotificationEvent):
    """The recipient's mail server took the mail."""

    type: ClassVar[str] = "notification.delivered.v1"

    provider_id: str
    delivered_at: AwareDatetime


class NotificationBounced(NotificationEvent):
    """The recipient's mail server refused the mail. `reason` is the provider's: `Permanent`, `Transient`. Open: more may come."""

    type: ClassVar[str] = "notification.bounced.v1"

    provider_id: str
    reason: str
    bounced_at: AwareDatetime


class NotificationFailed(NotificationEvent):
    """The mail never left. `reason`: `suppressed` (the address bounced or complained before), `refused` (by the mail provider) or
    `failed` (it was taken and could not be sent). Open: more may come.
    """

    type: ClassVar[str] = "notification.failed.v1"

    reason: str
    failed_at: AwareDatetime
