"""Our copy of who the players are: Polar wants an address for each checkout."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from services.payments.metadata import Base


class Profile(Base):
    __tablename__ = "profiles"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str]
    name: Mapped[str]
    locale: Mapped[str]
    version: Mapped[int]
