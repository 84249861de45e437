"""The rows that a race is decided by. The constraints are named for people."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TSTZRANGE, ExcludeConstraint

from services.booking.bookings.domain import Booking, RefundDue
from services.booking.metadata import mapping, metadata


class RefundsDue(TypeDecorator[tuple[RefundDue, ...]]):
    """A handful of facts that are only ever read with their booking: a list in its row."""

    impl = JSONB
    cache_ok = True

    def process_bind_param(self, value: tuple[RefundDue, ...] | None, dialect: Dialect) -> Any:
        del dialect
        return [asdict(due) for due in value or ()]

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[RefundDue, ...]:
        del dialect
        return tuple(RefundDue(**due) for due in value or ())


bookings = Table(
    "bookings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("court_id", ForeignKey("courts.id"), nullable=False),
    Column("venue_id", ForeignKey("venues.id"), nullable=False),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("status", Text, nullable=False),
    Column("seat", SmallInteger, nullable=False),
    Column("price_minor", Integer, nullable=False),
    # No foreign key: a rule may be deleted while its bookings remember it, and a hold locks no row of the price list.
    Column("price_rule_id", Uuid),
    Column("currency", String(3), nullable=False),
    Column("cancellation_window_hours", SmallInteger, nullable=False),
    Column("hold_expires_at", DateTime(timezone=True)),
    Column("checkout_url", Text),
    Column("order_id", Text),
    Column("refunds_due", RefundsDue, nullable=False, server_default=text("'[]'")),
    Column("refunded_orders", ARRAY(Text, as_tuple=True), nullable=False, server_default=text("'{}'")),
    Column("cancel_reason", Text),
    Column("version", Integer, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    CheckConstraint("status IN ('held', 'confirmed', 'cancelled', 'expired', 'completed')", name="status_is_known"),
    CheckConstraint("starts_at < ends_at", name="ends_after_start"),
    CheckConstraint("price_minor >= 0", name="price_not_negative"),
    CheckConstraint("(status = 'held') = (hold_expires_at IS NOT NULL) OR status = 'expired'", name="hold_has_an_end"),
    # Taking a seat, never counting bookings: the limit holds under any race.
    Index(
        "bookings_one_seat_each",
        "user_id",
        "seat",
        unique=True,
        postgresql_where=text("status IN ('held', 'confirmed')"),
    ),
    Index("bookings_by_date", "starts_at"),
    # What is due: small, since it holds live bookings only.
    Index("bookings_by_hold_end", "hold_expires_at", postgresql_where=text("status = 'held'")),
    Index("bookings_by_end", "ends_at", postgresql_where=text("status = 'confirmed'")),
    Index("bookings_by_user_id", "user_id"),
    Index("bookings_by_court_id", "court_id"),
)

court_occupancy = Table(
    "court_occupancy",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("court_id", ForeignKey("courts.id"), nullable=False),
    Column("during", TSTZRANGE, nullable=False),
    Column("booking_id", ForeignKey("bookings.id"), unique=True),
    # Many for one block: it takes what is free around the bookings that were let stand.
    Column("blocked_slot_id", ForeignKey("blocked_slots.id", ondelete="CASCADE")),
    CheckConstraint("num_nonnulls(booking_id, blocked_slot_id) = 1", name="one_claim"),
    Index(
        "court_occupancy_by_blocked_slot_id", "blocked_slot_id", postgresql_where=text("blocked_slot_id IS NOT NULL")
    ),
    # Bookings and blocks under one constraint, since an exclusion cannot span two tables. A row is there while the claim is live.
    ExcludeConstraint(("court_id", "="), ("during", "&&"), name="court_occupancy_no_overlap", using="gist"),
)

mapping.map_imperatively(Booking, bookings)
