"""`notification.events`: what became of a message to a player. Key: `booking_id`. No address and no text, only ids."""

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


class NotificationSent(NotificationEvent):
    """The mail provider took the mail; `provider_id` is its id there."""

    type: ClassVar[str] = "notification.sent.v1"

    provider_id: str
    sent_at: AwareDatetime
