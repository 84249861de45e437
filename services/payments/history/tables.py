"""What happened to each payment and on whose word: rows are added and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.history.domain import Step
from services.payments.metadata import Base


class HistoryEntry(Base):
    """`actor` is `booking`, `payments`, `polar`, `reconciler`, or the user id of who decided."""

    __tablename__ = "payment_history"
    __table_args__ = (Index("payment_history_by_attempt_id", "attempt_id", "id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    attempt_id: Mapped[UUID] = mapped_column(ForeignKey("payment_attempts.id"))
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    step: Mapped[Step] = mapped_column(Text)
    actor: Mapped[str]
    details: Mapped[dict[str, Any]] = mapped_column(JSONB)
