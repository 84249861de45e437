"""Addresses that no mail goes to any more."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.metadata import Base


class SuppressionRow(Base):
    """`address` is in lower case. `venue_id` is where the mail came from that showed it, and so whose staff may lift it.

    A suppression that was lifted stays, as the record of who lifted it and why.
    """

    __tablename__ = "suppressions"
    __table_args__ = (
        CheckConstraint("cause IN ('bounced', 'complained', 'suppressed')", name="cause_known"),
        CheckConstraint("num_nonnulls(lifted_at, lifted_by, lift_reason) IN (0, 3)", name="lifted_by_somebody"),
        Index("suppressions_in_force", "address", unique=True, postgresql_where=text("lifted_at IS NULL")),
        Index("suppressions_by_created_at", "created_at", "id"),
        Index("suppressions_by_user_id", "user_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    venue_id: Mapped[UUID]
    user_id: Mapped[UUID | None]
    email_id: Mapped[UUID]
    """The mail that showed it."""
    cause: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    lifted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    lifted_by: Mapped[UUID | None]
    lift_reason: Mapped[str | None] = mapped_column(Text)
