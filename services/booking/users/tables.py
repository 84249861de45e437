from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
)

from services.booking.metadata import metadata

users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("email", Text),
    Column("name", Text),
    Column("locale", Text),
    Column("role", Text, nullable=False),  # of the last token that was seen: for people to read, never to judge by
    Column("name_is_own", Boolean, nullable=False, server_default=false()),
    Column("locale_is_own", Boolean, nullable=False, server_default=false()),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("erased_at", DateTime(timezone=True)),
    CheckConstraint("role IN ('player', 'staff', 'admin')", name="role_is_known"),
    # An erased user's row stays, empty: bookings point at it, and it keeps their token from making a new one.
    CheckConstraint(
        "num_nonnulls(email, name, locale) = CASE WHEN erased_at IS NULL THEN 3 ELSE 0 END", name="erased_is_empty"
    ),
)

BY_EMAIL = "users_by_email"
Index(BY_EMAIL, func.lower(users.c.email), unique=True, postgresql_where=text("email IS NOT NULL"))

venue_staff = Table(
    "venue_staff",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("venue_id", ForeignKey("venues.id"), primary_key=True),
    Column("since", DateTime(timezone=True), nullable=False),
    Index("venue_staff_by_venue_id", "venue_id"),
)
