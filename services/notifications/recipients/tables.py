"""Who a mail goes to: this service's copy of `user.profiles`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, DateTime, Text, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from services.notifications.metadata import Base


class RecipientRow(Base):
    """Of an erased user an empty row stays: without it, an older profile that comes late would bring them back."""

    __tablename__ = "recipients"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(email, name, locale) = CASE WHEN erased_at IS NULL THEN 3 ELSE 0 END", name="erased_is_empty"
        ),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    locale: Mapped[str | None] = mapped_column(Text)
    staff_of: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    """Venues."""
    version: Mapped[int]
    changed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
