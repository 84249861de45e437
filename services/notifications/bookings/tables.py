"""What this service knows of each booking: its copy of `booking.events`, one row for each booking."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.metadata import Base


class BookingRow(Base):
    """`told` is the newest event. `news_version` is the newest that the player must hear of: all that was written before is old news.

    `standing_since` is when we learnt of the court and time that stand confirmed; `reminded_for` is the start that a reminder was
    written for.
    """

    __tablename__ = "bookings"
    __table_args__ = (
        Index(
            "bookings_to_remind_of",
            "starts_at",
            postgresql_where=text("status = 'confirmed' AND reminded_for IS DISTINCT FROM starts_at"),
        ),
    )

    booking_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int]
    news_version: Mapped[int]
    status: Mapped[str] = mapped_column(Text)
    starts_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    standing_since: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    reminded_for: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    told: Mapped[dict[str, Any]] = mapped_column(JSON)
