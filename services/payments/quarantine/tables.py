"""Polar's orders that a person must look at."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base
from services.payments.orders.domain import Mismatch


class QuarantinedOrder(Base):
    """Money that fits no attempt. It confirms nothing, and is not forgotten until all of it has gone back: `settled_at`."""

    __tablename__ = "quarantined_orders"
    __table_args__ = (
        UniqueConstraint("polar_order_id", "reason"),
        Index("quarantined_orders_unsettled", "found_at", "id", postgresql_where=text("settled_at IS NULL")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    polar_order_id: Mapped[str]
    reason: Mapped[Mismatch] = mapped_column(Text)
    checkout_id: Mapped[str | None]
    status: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    attempt_id: Mapped[UUID | None]
    booking_id: Mapped[UUID | None]
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    settled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
