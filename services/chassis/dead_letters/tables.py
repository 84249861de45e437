"""The desk's rows: what died, what is being sent again, and who decided so."""

from __future__ import annotations

from typing import Any, TypeAlias

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Row,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from services.chassis.database import CHASSIS

AnyRow: TypeAlias = "Row[*tuple[Any, ...]]"

dead_letter_redrives = Table(
    "dead_letter_redrives",
    CHASSIS,
    Column("id", Uuid, primary_key=True),
    Column("filters", JSONB, nullable=False),
    Column("actor_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("running", Boolean),
    CheckConstraint("state IN ('canary', 'rest', 'sent', 'halted')", name="known_state"),
    CheckConstraint("running", name="running_or_null"),
    CheckConstraint("(running IS NULL) = (ended_at IS NOT NULL)", name="runs_until_it_ends"),
    UniqueConstraint("running", name="dead_letter_redrives_one_at_a_time"),
)
"""A group that is being redriven. `running` is true or null, so its unique key lets one of them run at a time."""

dead_letters = Table(
    "dead_letters",
    CHASSIS,
    Column("id", Uuid, primary_key=True),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("died_at", DateTime(timezone=True), nullable=False),
    Column("mirrored_at", DateTime(timezone=True), nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("missing", Text),
    Column("headers", LargeBinary, nullable=False),  # `verbatim.pack`
    Column("size_bytes", Integer, nullable=False),
    Column("event_id", Text),
    Column("type", Text),
    Column("error_class", Text, nullable=False),
    Column("error_message", Text, nullable=False),
    Column("origin_topic", Text),
    Column("origin_partition", Integer),
    Column("origin_offset", BigInteger),
    Column("first_failure_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False),
    Column("predecessor_id", Uuid, ForeignKey("dead_letters.id", ondelete="SET NULL"), index=True),
    Column("state", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("sent_as", Text),
    Column("redrive_id", Uuid, ForeignKey("dead_letter_redrives.id")),
    CheckConstraint("state IN ('open', 'redriven', 'settled', 'died_again', 'discarded')", name="known_state"),
    CheckConstraint("(state = 'open') = (decided_at IS NULL)", name="decided_unless_open"),
    CheckConstraint("missing IN ('omitted', 'erased')", name="known_to_be_missing"),
    CheckConstraint("missing IS NULL OR value IS NULL", name="missing_or_there"),
    UniqueConstraint("topic", "partition", "offset", name="dead_letters_mirrored_once"),
    Index("dead_letters_by_died_at", "died_at", "id"),
    Index("dead_letters_by_decided_at", "decided_at"),
    Index("dead_letters_by_event_id", "event_id"),
    Index("dead_letters_by_key", "key", postgresql_using="hash"),  # a key may be larger than a B-tree takes
    Index("dead_letters_by_redrive_id", "redrive_id", postgresql_where=text("redrive_id IS NOT NULL")),
    Index("dead_letters_undecided", "state", postgresql_where=text("state IN ('open', 'redriven')")),
)
"""One row for each record of the service's dead-letter topic. A record has no end of its own: each row gets one decision, and a record
that dies again is another row, with `predecessor_id`. `sent_as` is the event id that a redrive or an edit was sent under. `missing` says
why there is no value where the record had one: too large for the topic (`omitted`), or its subject was erased."""

dead_letter_actions = Table(
    "dead_letter_actions",
    CHASSIS,
    Column("id", Uuid, primary_key=True),
    Column("action", Text, nullable=False),
    Column("actor_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("dead_letter_ids", ARRAY(Uuid), nullable=False),
    Column("redrive_id", Uuid, ForeignKey("dead_letter_redrives.id")),
    Column("value", LargeBinary),
    CheckConstraint("action IN ('redrive', 'edit', 'discard', 'reopen', 'halt')", name="known_action"),
    Index("dead_letter_actions_by_dead_letter_id", "dead_letter_ids", postgresql_using="gin"),
)
"""The audit: rows are added and stay. A group that is redriven has one for each batch. `value` is what an edit sent: it goes when its
letter goes, or its subject is erased; nothing else of a row changes."""

erased_keys = Table(
    "erased_keys",
    CHASSIS,
    Column("key", LargeBinary, primary_key=True),
    Column("erased_at", DateTime(timezone=True), nullable=False),
    Index("erased_keys_by_erased_at", "erased_at"),
)
"""Keys of compacted topics that a tombstone came for: a letter with such a key that comes later is kept without its value."""
