"""What Resend told us, as received: the record of who said what, and when."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.metadata import Base


class ReceivedWebhook(Base):
    """`id` is the id of the record on Kafka; `webhook_id` is Svix's, the same on every redelivery; `provider_id` is the mail's."""

    __tablename__ = "resend_webhooks"
    __table_args__ = (
        Index("resend_webhooks_by_provider_id", "provider_id"),
        Index("resend_webhooks_by_received_at", "received_at"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(Text, unique=True)
    type: Mapped[str] = mapped_column(Text)
    provider_id: Mapped[str | None] = mapped_column(Text)
    body: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
