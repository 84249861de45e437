"""Polar's orders: those that paid for an attempt, and those that a person must look at."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base
from services.payments.orders.domain import Mismatch


class PaidOrder(Base):
    """One charge that pays for one attempt."""

    __tablename__ = "orders"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    polar_order_id: Mapped[str] = mapped_column(unique=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempts.id"), unique=True)
    booking_id: Mapped[UUID] = mapped_column(index=True)
    amount_minor: Mapped[int]
    currency: Mapped[str]
    paid_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class QuarantinedOrder(Base):
    """Money that fits no attempt. It confirms nothing, and is not forgotten."""

    __tablename__ = "quarantined_orders"
    __table_args__ = (UniqueConstraint("polar_order_id", "reason"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    polar_order_id: Mapped[str]
    reason: Mapped[Mismatch] = mapped_column(Text)
    checkout_id: Mapped[str | None]
    status: Mapped[str]
    amount_minor: Mapped[int]
    currency: Mapped[str]
    found_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
