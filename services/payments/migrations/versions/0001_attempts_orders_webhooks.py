"""Attempts to be paid, orders, webhooks, profiles; outbox and inbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _chassis()
    op.create_table(
        "profiles",
        sa.Column("user_id", sa.Uuid, nullable=False),
        sa.Column("email", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("locale", sa.String, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="profiles_pk"),
    )
    op.create_table(
        "payment_attempts",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("amount_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("checkout_id", sa.String),
        sa.Column("checkout_url", sa.String),
        sa.Column("checkout_expires_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="payment_attempts_pk"),
        sa.UniqueConstraint("checkout_id", name="payment_attempts_unique_checkout_id"),
        sa.CheckConstraint(
            "state IN ('creating', 'open', 'paid', 'lapsed')", name=op.f("payment_attempts_known_state")
        ),
        sa.CheckConstraint(
            "(state IN ('open', 'paid')) = (checkout_id IS NOT NULL)", name=op.f("payment_attempts_open_with_checkout")
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("payment_attempts_amount_not_negative")),
    )
    op.create_index(
        "payment_attempts_one_open",
        "payment_attempts",
        ["booking_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('creating', 'open', 'paid')"),
    )
    op.create_table(
        "orders",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("polar_order_id", sa.String, nullable=False),
        sa.Column("attempt_id", sa.Uuid, nullable=False),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("amount_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="orders_pk"),
        sa.UniqueConstraint("polar_order_id", name="orders_unique_polar_order_id"),
        sa.UniqueConstraint("attempt_id", name="orders_unique_attempt_id"),
        sa.ForeignKeyConstraint(["attempt_id"], ["payment_attempts.id"], name="orders_attempt_id_fk"),
    )
    op.create_index("orders_by_booking_id", "orders", ["booking_id"])
    op.create_table(
        "quarantined_orders",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("polar_order_id", sa.String, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("checkout_id", sa.String),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("amount_minor", sa.Integer, nullable=False),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="quarantined_orders_pk"),
        sa.UniqueConstraint("polar_order_id", "reason", name="quarantined_orders_unique_polar_order_id_reason"),
    )
    op.create_table(
        "polar_webhooks",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("webhook_id", sa.String, nullable=False),
        sa.Column("type", sa.String, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="polar_webhooks_pk"),
        sa.UniqueConstraint("webhook_id", name="polar_webhooks_unique_webhook_id"),
    )


def _chassis() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("aggregatetype", sa.Text, nullable=False),
        sa.Column("aggregateid", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("payload", sa.LargeBinary),
        sa.Column("headers", postgresql.JSONB, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="outbox_pk"),
    )
    # Rows live for milliseconds, so the table is nearly always empty: its dead rows are counted, not compared with its size.
    op.execute(
        "ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,"
        " autovacuum_vacuum_cost_delay = 0)"
    )
    op.create_table(
        "inbox",
        sa.Column("consumer_group", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("handled_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("consumer_group", "event_id", name="inbox_pk"),
    )


def downgrade() -> None:
    for table in (
        "polar_webhooks", "quarantined_orders", "orders", "payment_attempts", "profiles", "inbox", "outbox"
    ):
        op.drop_table(table)
