from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Table, Text, Uuid, func
from sqlalchemy.dialects.postgresql import TSTZRANGE

from services.booking.metadata import metadata

blocked_slots = Table(
    "blocked_slots",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("series_id", Uuid, nullable=False),
    Column("venue_id", ForeignKey("venues.id"), nullable=False),
    Column("court_id", ForeignKey("courts.id"), nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", ForeignKey("users.id"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)", name="has_an_interval"),
    # Which blocks want a time that has become free.
    Index("blocked_slots_by_court_and_time", "court_id", "during", postgresql_using="gist"),
    Index("blocked_slots_by_series_id", "series_id"),
)

Index(
    "blocked_slots_by_venue_and_start", blocked_slots.c.venue_id, func.lower(blocked_slots.c.during), blocked_slots.c.id
)
