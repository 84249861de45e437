"""What Polar told us, as received: the record of who said what, and when."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base


class ReceivedWebhook(Base):
    """`id` is the id of the record on Kafka; `webhook_id` is Polar's, the same on every redelivery."""

    __tablename__ = "polar_webhooks"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    webhook_id: Mapped[str] = mapped_column(unique=True)
    type: Mapped[str]
    body: Mapped[bytes]
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
