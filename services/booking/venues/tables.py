from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Uuid,
)

from services.booking.metadata import metadata

venues = Table(
    "venues",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("hold_minutes", SmallInteger, nullable=False),
    Column("cancellation_window_hours", SmallInteger, nullable=False),
    Column("max_active_bookings", SmallInteger, nullable=False),
    Column("booking_horizon_days", SmallInteger, nullable=False),
)

opening_hours = Table(
    "opening_hours",
    metadata,
    Column("venue_id", ForeignKey("venues.id"), primary_key=True),
    Column("weekday", SmallInteger, primary_key=True),
    Column("opens", Time, primary_key=True),
    Column("closes", Time, nullable=False),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_is_one"),
)

courts = Table(
    "courts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("venue_id", ForeignKey("venues.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("surface", Text, nullable=False),
    Column("slot_minutes", SmallInteger, nullable=False),
    Column("active", Boolean, nullable=False),
    CheckConstraint("slot_minutes IN (60, 90)", name="slot_minutes_60_or_90"),
    Index("courts_by_venue_id", "venue_id"),
)

price_rules = Table(
    "price_rules",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("venue_id", ForeignKey("venues.id"), nullable=False),
    Column("court_id", ForeignKey("courts.id")),
    Column("weekdays", ARRAY(SmallInteger), nullable=False),
    Column("starts", Time, nullable=False),
    Column("ends", Time, nullable=False),
    Column("price_minor", Integer, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    CheckConstraint("price_minor >= 0", name="price_not_negative"),
    Index("price_rules_by_venue_id", "venue_id"),
)
