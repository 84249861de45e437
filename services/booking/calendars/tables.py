from __future__ import annotations

from sqlalchemy import Column, DateTime, ForeignKey, LargeBinary, Table

from services.booking.metadata import metadata

calendar_feeds = Table(
    "calendar_feeds",
    metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    # SHA-256 of the token: who reads the table can open no feed. A token of 256 bits that look random needs no slow hash.
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("created_at", DateTime(timezone=True), nullable=False),
)
