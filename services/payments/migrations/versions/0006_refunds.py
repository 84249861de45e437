"""Refunds, the history of each payment, who works where, and what the reconciler found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
REFUND_STATES = "state IN ('requested', 'calling', 'pending', 'succeeded', 'failed')"


def upgrade() -> None:
    op.add_column(
        "profiles", sa.Column("staff_of", postgresql.ARRAY(sa.Uuid()), nullable=False, server_default=sa.text("'{}'"))
    )
    _attempts()
    _orders()
    _refunds()
    _history()
    _reconciliations()


def downgrade() -> None:
    op.drop_table("reconciliations")
    op.drop_table("payment_history")
    op.drop_table("refunds")
    for column in ("attempt_id", "booking_id", "settled_at"):
        op.drop_column("quarantined_orders", column)
    op.execute("DELETE FROM orders WHERE id NOT IN (SELECT min(id::text)::uuid FROM orders GROUP BY attempt_id)")
    op.create_unique_constraint("orders_unique_attempt_id", "orders", ["attempt_id"])
    op.drop_constraint(op.f("payment_attempts_open_with_checkout"), "payment_attempts")
    op.execute("UPDATE payment_attempts SET checkout_id = NULL WHERE state = 'lapsed'")
    op.create_check_constraint(
        op.f("payment_attempts_open_with_checkout"),
        "payment_attempts",
        "(state IN ('open', 'paid')) = (checkout_id IS NOT NULL)",
    )
    for column in ("hold_expires_at", "venue_id"):
        op.drop_column("payment_attempts", column)
    op.drop_column("profiles", "staff_of")


def _attempts() -> None:
    op.add_column("payment_attempts", sa.Column("venue_id", sa.Uuid))
    op.add_column("payment_attempts", sa.Column("hold_expires_at", INSTANT))
    op.drop_constraint(op.f("payment_attempts_open_with_checkout"), "payment_attempts")
    op.create_check_constraint(
        op.f("payment_attempts_open_with_checkout"),
        "payment_attempts",
        "state NOT IN ('open', 'paid') OR checkout_id IS NOT NULL",
    )


def _orders() -> None:
    op.drop_constraint("orders_unique_attempt_id", "orders")
    for column in (sa.Column("attempt_id", sa.Uuid), sa.Column("booking_id", sa.Uuid), sa.Column("settled_at", INSTANT)):
        op.add_column("quarantined_orders", column)


def _refunds() -> None:
    op.create_table(
        "refunds",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("polar_order_id", sa.String, nullable=False),
        sa.Column("attempt_id", sa.Uuid, nullable=False),
        sa.Column("booking_id", sa.Uuid, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("comment", sa.String),
        sa.Column("paid_minor", sa.Integer, nullable=False),
        sa.Column("amount_minor", sa.Integer, nullable=False),
        sa.Column("refunded_minor", sa.Integer),
        sa.Column("currency", sa.String, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("failure", sa.String),
        sa.Column("polar_refund_id", sa.String),
        sa.Column("polar_changed_at", INSTANT),
        sa.Column("called_at", INSTANT),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("changed_at", INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="refunds_pk"),
        sa.ForeignKeyConstraint(["attempt_id"], ["payment_attempts.id"], name="refunds_attempt_id_fk"),
        sa.UniqueConstraint("polar_refund_id", name="refunds_unique_polar_refund_id"),
        sa.CheckConstraint(REFUND_STATES, name=op.f("refunds_known_state")),
        sa.CheckConstraint("origin IN ('booking', 'payments', 'staff', 'polar')", name=op.f("refunds_known_origin")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("refunds_amount_positive")),
        sa.CheckConstraint(
            "(state = 'succeeded') = (refunded_minor IS NOT NULL)", name=op.f("refunds_refunded_when_succeeded")
        ),
    )
    op.create_index("refunds_by_booking_id", "refunds", ["booking_id"])
    op.create_index("refunds_by_attempt_id", "refunds", ["attempt_id"])
    op.create_index("refunds_by_polar_order_id", "refunds", ["polar_order_id"])
    op.create_index(
        "refunds_one_for_each_debt",
        "refunds",
        ["polar_order_id", "origin"],
        unique=True,
        postgresql_where=sa.text("origin IN ('booking', 'payments')"),
    )
    op.create_index(
        "refunds_one_under_way",
        "refunds",
        ["polar_order_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('calling', 'pending') AND origin <> 'polar'"),
    )
    op.create_index(
        "refunds_unfinished", "refunds", ["requested_at"], postgresql_where=sa.text("state <> 'succeeded'")
    )


def _history() -> None:
    op.create_table(
        "payment_history",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("attempt_id", sa.Uuid, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("details", postgresql.JSONB, nullable=False),
        sa.PrimaryKeyConstraint("id", name="payment_history_pk"),
        sa.ForeignKeyConstraint(["attempt_id"], ["payment_attempts.id"], name="payment_history_attempt_id_fk"),
    )
    op.create_index("payment_history_by_attempt_id", "payment_history", ["attempt_id", "id"])


def _reconciliations() -> None:
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("since", INSTANT),
        sa.Column("started_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("seen", postgresql.JSONB, nullable=False),
        sa.Column("repaired", postgresql.JSONB, nullable=False),
        sa.Column("differences", postgresql.JSONB, nullable=False),
        sa.Column("failure", sa.String),
        sa.PrimaryKeyConstraint("id", name="reconciliations_pk"),
    )
    op.create_index("reconciliations_by_started_at", "reconciliations", ["started_at"])
