"""The desk of dead letters, and what its API needs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LETTER_STATES = "state IN ('open', 'redriven', 'settled', 'died_again', 'discarded')"
REDRIVE_STATES = "state IN ('canary', 'rest', 'sent', 'halted')"
ACTIONS = "action IN ('redrive', 'edit', 'discard', 'halt')"


def upgrade() -> None:
    _shared()
    _redrives()
    _letters()
    _actions()


def downgrade() -> None:
    op.drop_table("dead_letter_actions")
    op.drop_table("dead_letters")
    op.drop_table("dead_letter_redrives")
    for table in ("rate_limits", "crons", "idempotency_keys"):
        op.drop_table(table)


def _redrives() -> None:
    op.create_table(
        "dead_letter_redrives",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("filters", postgresql.JSONB(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("running", sa.Boolean()),
        sa.CheckConstraint(REDRIVE_STATES, name=op.f("dead_letter_redrives_known_state")),
        sa.CheckConstraint("running", name=op.f("dead_letter_redrives_running_or_null")),
        sa.CheckConstraint(
            "(running IS NULL) = (ended_at IS NOT NULL)", name=op.f("dead_letter_redrives_runs_until_it_ends")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("dead_letter_redrives_pk")),
        sa.UniqueConstraint("running", name="dead_letter_redrives_one_at_a_time"),
    )


def _letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("died_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mirrored_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text()),
        sa.Column("type", sa.Text()),
        sa.Column("error_class", sa.Text(), nullable=False),
        sa.Column("error_message", sa.Text(), nullable=False),
        sa.Column("origin_topic", sa.Text()),
        sa.Column("origin_partition", sa.Integer()),
        sa.Column("origin_offset", sa.BigInteger()),
        sa.Column("first_failure_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("predecessor_id", sa.Uuid()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True)),
        sa.Column("sent_as", sa.Text()),
        sa.Column("redrive_id", sa.Uuid()),
        sa.CheckConstraint(LETTER_STATES, name=op.f("dead_letters_known_state")),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("dead_letters_decided_unless_open")),
        sa.ForeignKeyConstraint(
            ["predecessor_id"], ["dead_letters.id"], name=op.f("dead_letters_predecessor_id_fk"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["redrive_id"], ["dead_letter_redrives.id"], name=op.f("dead_letters_redrive_id_fk")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("dead_letters_pk")),
        sa.UniqueConstraint("topic", "partition", "offset", name="dead_letters_mirrored_once"),
    )
    for columns, where in {
        ("died_at", "id"): None,
        ("decided_at",): None,
        ("event_id",): None,
        ("predecessor_id",): None,
        ("redrive_id",): "redrive_id IS NOT NULL",
    }.items():
        name = f"dead_letters_by_{columns[0]}"
        op.create_index(name, "dead_letters", [*columns], postgresql_where=where and sa.text(where))
    undecided = sa.text("state IN ('open', 'redriven')")
    op.create_index("dead_letters_undecided", "dead_letters", ["state"], postgresql_where=undecided)


def _actions() -> None:
    op.create_table(
        "dead_letter_actions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dead_letter_ids", postgresql.ARRAY(sa.Uuid()), nullable=False),
        sa.Column("redrive_id", sa.Uuid()),
        sa.Column("value", sa.LargeBinary()),
        sa.CheckConstraint(ACTIONS, name=op.f("dead_letter_actions_known_action")),
        sa.ForeignKeyConstraint(
            ["redrive_id"], ["dead_letter_redrives.id"], name=op.f("dead_letter_actions_redrive_id_fk")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("dead_letter_actions_pk")),
    )
    op.create_index(
        "dead_letter_actions_by_dead_letter_id", "dead_letter_actions", ["dead_letter_ids"], postgresql_using="gin"
    )


def _shared() -> None:
    """Tables of the chassis that other services have already: answers of requests, jobs of the clock, rate limits."""
    op.create_table(
        "idempotency_keys",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", postgresql.JSONB(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("idempotency_keys_pk")),
    )
    op.create_index("idempotency_keys_by_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "crons",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("crons_pk")),
    )
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("full_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("rate_limits_pk")),
        prefixes=["UNLOGGED"],
    )
