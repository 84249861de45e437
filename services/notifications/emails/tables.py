"""Mails as they were rendered, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Index, SmallInteger, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.emails.domain import REPORTED, State
from services.notifications.metadata import Base

NOBODY = UUID(int=0)
"""The venue of mails that were written before it was kept."""
STATES = ", ".join(f"'{state}'" for state in State)
TAKEN = ", ".join(f"'{state}'" for state in REPORTED if state is not State.SUPPRESSED)


class Email(Base):
    """One mail for one version of one booking, and one for each time that staff asked for it again (`copy`).

    The id is the Idempotency-Key under which the provider knows it.
    """

    __tablename__ = "emails"
    __table_args__ = (
        UniqueConstraint("kind", "booking_id", "version", "refund_id", "copy", name="emails_once"),
        UniqueConstraint("provider_id", name="emails_provider_knows_one"),
        CheckConstraint(f"state IN ({STATES})", name="state_known"),
        CheckConstraint(
            f"state NOT IN ({TAKEN}) OR (provider_id IS NOT NULL AND sent_at IS NOT NULL)", name="sent_has_provider_id"
        ),
        CheckConstraint(
            "num_nonnulls(copied_from, requested_by, request_reason) = CASE WHEN copy = 0 THEN 0 ELSE 3 END",
            name="copy_was_requested",
        ),
        Index("emails_by_booking_id", "booking_id", "created_at"),
        Index("emails_by_user_id", "user_id"),
        Index("emails_by_created_at", "created_at", "id"),
        Index("emails_unknown", "created_at", "id", postgresql_where=text("state = 'unknown'")),
        Index("emails_unsure", "first_tried_at", postgresql_where=text("state IN ('queued', 'refused')")),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    booking_id: Mapped[UUID]
    version: Mapped[int]
    refund_id: Mapped[str] = mapped_column(Text, server_default="")
    copy: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    venue_id: Mapped[UUID] = mapped_column(server_default=str(NOBODY))
    user_id: Mapped[UUID | None]
    """Empty where it goes to the club's staff."""
    about: Mapped[dict[str, Any]] = mapped_column(JSON, server_default="{}")
    # JSON, not JSONB: it keeps the order of its members, so each try sends the same bytes and the provider sees one request.
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(Text, default=State.QUEUED, server_default=State.QUEUED)
    state_reason: Mapped[str | None] = mapped_column(Text)
    provider_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    useless_after: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    unsure_since: Mapped[datetime | None] = mapped_column("first_tried_at", DateTime(timezone=True))
    under_way_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    reported_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    copied_from: Mapped[UUID | None] = mapped_column(ForeignKey("emails.id"))
    requested_by: Mapped[UUID | None]
    request_reason: Mapped[str | None] = mapped_column(Text)


class ProviderTurn(Base):
    """When the last request to a provider was, or will be, made: one row, so that all workers keep one pace.

    It lies ahead while the provider wants to be left alone, which `paused_until` tells apart from turns that others have taken.
    """

    __tablename__ = "provider_turns"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    paused_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
