"""What is kept of a webhook, made ready before it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from uuid_utils.compat import uuid7

from services.chassis.outbox import Outgoing
from services.payments.webhooks.domain import PolarWebhook


@dataclass(frozen=True, slots=True)
class Receipt:
    """`webhook_id` is Polar's; `record` has the bytes, our own id and the trace in which they go on."""

    webhook_id: str
    kind: str
    record: Outgoing

    @classmethod
    def of(cls, webhook_id: str, webhook: PolarWebhook | None, body: bytes, now: datetime) -> Receipt:
        """`webhook` is the body, if it could be read."""
        record = Outgoing(
            id=uuid7(),
            topic=PolarWebhook.topic,
            key=(webhook and printable(webhook.key)) or webhook_id,
            type=PolarWebhook.type,
            source=PolarWebhook.source,
            payload=body,
            time=now,
        )
        return cls(webhook_id, printable(webhook.kind) if webhook else "", record)


def printable(told: str) -> str:
    """PostgreSQL keeps no NUL in a text, and JSON may hold one. The bytes that were signed are kept as they are."""
    return told.replace("\x00", "\ufffd")
