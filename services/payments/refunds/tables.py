"""Money on its way back: each row is one refund, asked for by us or begun by Polar."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base
from services.payments.refunds.domain import Origin, State


class Refund(Base):
    """`amount_minor` was asked for; `refunded_minor` is what the player got by this one, which is less when others were faster."""

    __tablename__ = "refunds"
    __table_args__ = (
        # A debt is told of in every later event of its booking.
        Index(
            "refunds_one_for_each_debt",
            "polar_order_id",
            "origin",
            unique=True,
            postgresql_where=text("origin IN ('booking', 'payments')"),
        ),
        # Polar lets two refunds of one order pass side by side. What it begins by itself is not ours to hold back.
        Index(
            "refunds_one_under_way",
            "polar_order_id",
            unique=True,
            postgresql_where=text("state IN ('calling', 'pending') AND origin <> 'polar'"),
        ),
        Index("refunds_unfinished", "requested_at", postgresql_where=text("state <> 'succeeded'")),
        CheckConstraint("state IN ('requested', 'calling', 'pending', 'succeeded', 'failed')", name="known_state"),
        CheckConstraint("origin IN ('booking', 'payments', 'staff', 'polar')", name="known_origin"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("(state = 'succeeded') = (refunded_minor IS NOT NULL)", name="refunded_when_succeeded"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    polar_order_id: Mapped[str] = mapped_column(index=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempts.id"), index=True)
    booking_id: Mapped[UUID] = mapped_column(index=True)
    origin: Mapped[Origin] = mapped_column(Text)
    reason: Mapped[str]
    comment: Mapped[str | None]
    paid_minor: Mapped[int]
    amount_minor: Mapped[int]
    refunded_minor: Mapped[int | None]
    currency: Mapped[str]
    state: Mapped[State] = mapped_column(Text)
    failure: Mapped[str | None]
    polar_refund_id: Mapped[str | None] = mapped_column(unique=True)
    polar_changed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    called_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    requested_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
