from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    UniqueConstraint,
    Uuid,
    text,
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
    Column("minimum_notice_minutes", SmallInteger, nullable=False, server_default=text("0")),
    CheckConstraint("minimum_notice_minutes >= 0", name="notice_not_negative"),
)

ON_A_CELL = "extract(epoch FROM opens) % 300 = 0"
"""Slots begin on whole five minutes: what is taken is kept in cells of that length."""

opening_hours = Table(
    "opening_hours",
    metadata,
    Column("venue_id", ForeignKey("venues.id"), primary_key=True),
    Column("weekday", SmallInteger, primary_key=True),
    Column("opens", Time, primary_key=True),
    Column("closes", Time, nullable=False),
    CheckConstraint("weekday BETWEEN 0 AND 6", name="weekday_is_one"),
    CheckConstraint(ON_A_CELL, name="opens_on_five_minutes"),
)

opening_exceptions = Table(
    "opening_exceptions",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("venue_id", ForeignKey("venues.id"), nullable=False),
    Column("date", Date, nullable=False),
    Column("opens", Time, comment="NULL: closed on that day"),
    Column("closes", Time),
    Column("reason", Text, nullable=False),
    CheckConstraint("(opens IS NULL) = (closes IS NULL)", name="both_or_closed"),
    CheckConstraint(ON_A_CELL, name="opens_on_five_minutes"),
    # Several rows of one date are several openings; "closed" is there once.
    UniqueConstraint("venue_id", "date", "opens", name="opening_exceptions_once", postgresql_nulls_not_distinct=True),
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
    Column("valid_from", Date),
    Column("valid_until", Date, comment="inclusive"),
    Column("role", Text, comment="NULL: for everybody"),
    CheckConstraint("price_minor >= 0", name="price_not_negative"),
    CheckConstraint("ends = '00:00' OR starts < ends", name="band_within_a_day"),
    CheckConstraint("valid_from <= valid_until", name="valid_from_before_until"),
    CheckConstraint("role IN ('player', 'staff', 'admin')", name="role_is_known"),
    Index("price_rules_by_venue_id", "venue_id"),
)
