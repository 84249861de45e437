"""Our copy of who the players are: Polar wants an address for each checkout, and staff see the payments of their venues."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base


class Profile(Base):
    """Of an erased user an empty row stays: without it, an older profile that comes late would bring them back."""

    __tablename__ = "profiles"
    __table_args__ = (
        CheckConstraint(
            "num_nonnulls(email, name, locale) = CASE WHEN erased_at IS NULL THEN 3 ELSE 0 END", name="erased_is_empty"
        ),
    )

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    name: Mapped[str | None]
    locale: Mapped[str | None]
    staff_of: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default=text("'{}'"))
    version: Mapped[int]
    erased_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
