"""Polar's orders that paid for an attempt."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base


class PaidOrder(Base):
    """One charge that pays for one attempt. An attempt that was charged twice has two: the booking keeps one, and owes the other back."""

    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    polar_order_id: Mapped[str] = mapped_column(unique=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempts.id"), index=True)
    booking_id: Mapped[UUID] = mapped_column(index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str]
    paid_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
