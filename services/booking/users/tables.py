from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, Index, Integer, Table, Text, Uuid, func, text

from services.booking.metadata import metadata

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text),
    Column("name", Text),
    Column("locale", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("erased_at", DateTime(timezone=True)),
    CheckConstraint("role IN ('player', 'staff', 'admin')", name="role_is_known"),
)

Index("users_by_email", func.lower(users.c.email), unique=True, postgresql_where=text("email IS NOT NULL"))
