"""Mails as they were rendered, and what became of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.emails.domain import State
from services.notifications.metadata import Base


class Email(Base):
    """One mail for one version of one booking. The id is the Idempotency-Key under which the provider knows it."""

    __tablename__ = "emails"
    __table_args__ = (
        UniqueConstraint("kind", "booking_id", "version"),
        CheckConstraint("state IN ('queued', 'sent', 'unknown', 'dropped')", name="state_known"),
        CheckConstraint(
            "state <> 'sent' OR (provider_id IS NOT NULL AND sent_at IS NOT NULL)", name="sent_has_provider_id"
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    booking_id: Mapped[UUID]
    version: Mapped[int]
    user_id: Mapped[UUID]
    # JSON, not JSONB: it keeps the order of its members, so each try sends the same bytes and the provider sees one request.
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(Text, default=State.QUEUED, server_default=State.QUEUED)
    provider_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    first_tried_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class ProviderTurn(Base):
    """When the last request to a provider was, or will be, made: one row, so that all workers keep one pace."""

    __tablename__ = "provider_turns"

    provider: Mapped[str] = mapped_column(Text, primary_key=True)
    last_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
