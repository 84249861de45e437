"""One row for each attempt to be paid: the intent is committed before Polar is called."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.checkouts.domain import State
from services.payments.metadata import Base


class PaymentAttempt(Base):
    __tablename__ = "payment_attempts"
    __table_args__ = (
        # A paid attempt counts too: a booking that is paid for gets no second page to pay at.
        Index(
            "payment_attempts_one_open",
            "booking_id",
            unique=True,
            postgresql_where=text("state IN ('creating', 'open', 'paid')"),
        ),
        Index("payment_attempts_by_booking_id", "booking_id"),
        Index("payment_attempts_unfinished", "created_at", postgresql_where=text("state IN ('creating', 'open')")),
        CheckConstraint("state IN ('creating', 'open', 'paid', 'lapsed')", name="known_state"),
        CheckConstraint("state NOT IN ('open', 'paid') OR checkout_id IS NOT NULL", name="open_with_checkout"),
        CheckConstraint("amount_minor >= 0", name="amount_not_negative"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    booking_id: Mapped[UUID]
    venue_id: Mapped[UUID | None]
    state: Mapped[State] = mapped_column(Text)
    amount_minor: Mapped[int]
    currency: Mapped[str]
    hold_expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    checkout_id: Mapped[str | None] = mapped_column(unique=True)
    checkout_url: Mapped[str | None]
    checkout_expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
