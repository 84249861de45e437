from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Index, Integer, Table, Text, Uuid, text

from services.booking.closures.domain import Closure
from services.booking.metadata import mapping, metadata

closures = Table(
    "closures",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("venue_id", ForeignKey("venues.id"), nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_by", ForeignKey("users.id"), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("state", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    CheckConstraint("state IN ('cancelling', 'done')", name="state_is_known"),
    CheckConstraint("(state = 'done') = (finished_at IS NOT NULL)", name="done_has_an_instant"),
    Index("closures_that_go_on", "id", postgresql_where=text("state = 'cancelling'")),
)

mapping.map_imperatively(Closure, closures)
