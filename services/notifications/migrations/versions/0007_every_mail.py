"""Mails of every kind: bookings as they were told, copies on request, reports of the provider, addresses that get no mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

STATES_BEFORE = "state IN ('queued', 'sent', 'unknown', 'dropped')"
STATES = (
    "state IN ('queued', 'superseded', 'expired', 'dropped', 'refused', 'unknown', 'sent', 'delayed', 'delivered', 'opened', "
    "'clicked', 'bounced', 'failed', 'suppressed', 'complained')"
)
TAKEN = "'sent', 'delayed', 'delivered', 'opened', 'clicked', 'bounced', 'failed', 'complained'"
HAS_PROVIDER_ID = "OR (provider_id IS NOT NULL AND sent_at IS NOT NULL)"
NOBODY = "00000000-0000-0000-0000-000000000000"
"""The venue of mails that were written before it was kept, or by the release before: only an admin sees them."""


def upgrade() -> None:
    _emails()
    op.add_column(
        "recipients", sa.Column("staff_of", sa.ARRAY(sa.Uuid()), nullable=False, server_default=sa.text("'{}'"))
    )
    _bookings()
    _webhooks()
    _suppressions()


def downgrade() -> None:
    for table in ("suppressions", "resend_webhooks", "bookings"):
        op.drop_table(table)
    op.drop_column("recipients", "staff_of")
    _emails_as_before()


def _emails() -> None:
    op.alter_column("emails", "user_id", nullable=True)
    for column in (
        sa.Column("refund_id", sa.Text(), nullable=False, server_default=""),
        sa.Column("copy", sa.SmallInteger(), nullable=False, server_default="0"),
        sa.Column("venue_id", sa.Uuid(), nullable=False, server_default=NOBODY),
        sa.Column("about", postgresql.JSON(), nullable=False, server_default="{}"),
        sa.Column("state_reason", sa.Text()),
        sa.Column("useless_after", sa.DateTime(timezone=True)),
        sa.Column("under_way_until", sa.DateTime(timezone=True)),
        sa.Column("reported_at", sa.DateTime(timezone=True)),
        sa.Column("copied_from", sa.Uuid()),
        sa.Column("requested_by", sa.Uuid()),
        sa.Column("request_reason", sa.Text()),
    ):
        op.add_column("emails", column)
    _check_states(STATES, f"state NOT IN ({TAKEN}) {HAS_PROVIDER_ID}")
    op.create_check_constraint(
        op.f("emails_copy_was_requested"),
        "emails",
        "num_nonnulls(copied_from, requested_by, request_reason) = CASE WHEN copy = 0 THEN 0 ELSE 3 END",
    )
    op.create_foreign_key(op.f("emails_copied_from_fk"), "emails", "emails", ["copied_from"], ["id"])
    op.drop_constraint("emails_unique_kind_booking_id_version", "emails")
    op.create_unique_constraint("emails_once", "emails", ["kind", "booking_id", "version", "refund_id", "copy"])
    op.create_unique_constraint("emails_provider_knows_one", "emails", ["provider_id"])
    op.create_index("emails_by_booking_id", "emails", ["booking_id", "created_at"])
    op.create_index("emails_by_user_id", "emails", ["user_id"])
    op.create_index("emails_by_created_at", "emails", ["created_at", "id"])
    op.create_index(
        "emails_unknown", "emails", ["created_at", "id"], postgresql_where=sa.text("state = 'unknown'")
    )


def _emails_as_before() -> None:
    op.execute("DELETE FROM emails WHERE copy > 0 OR refund_id <> '' OR user_id IS NULL")
    op.execute("DELETE FROM emails WHERE state IN ('superseded', 'expired', 'refused', 'suppressed')")
    op.execute(f"UPDATE emails SET state = 'sent' WHERE state IN ({TAKEN})")
    for index in ("emails_unknown", "emails_by_created_at", "emails_by_user_id", "emails_by_booking_id"):
        op.drop_index(index, "emails")
    for constraint in ("emails_provider_knows_one", "emails_once", "emails_copied_from_fk", "emails_copy_was_requested"):
        op.drop_constraint(constraint, "emails")
    _check_states(STATES_BEFORE, f"state <> 'sent' {HAS_PROVIDER_ID}")
    op.create_unique_constraint("emails_unique_kind_booking_id_version", "emails", ["kind", "booking_id", "version"])
    for column in (
        *("request_reason", "requested_by", "copied_from", "reported_at", "under_way_until", "useless_after"),
        *("state_reason", "about", "venue_id", "copy", "refund_id"),
    ):
        op.drop_column("emails", column)
    op.alter_column("emails", "user_id", nullable=False)


def _check_states(states: str, taken: str) -> None:
    for name, condition in (("emails_state_known", states), ("emails_sent_has_provider_id", taken)):
        op.drop_constraint(op.f(name), "emails")
        op.create_check_constraint(op.f(name), "emails", condition)


def _bookings() -> None:
    op.create_table(
        "bookings",
        sa.Column("booking_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("news_version", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("standing_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_for", sa.DateTime(timezone=True)),
        sa.Column("told", postgresql.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("booking_id", name=op.f("bookings_pk")),
    )
    op.create_index(
        "bookings_to_remind_of",
        "bookings",
        ["starts_at"],
        postgresql_where=sa.text("status = 'confirmed' AND reminded_for IS DISTINCT FROM starts_at"),
    )


def _webhooks() -> None:
    op.create_table(
        "resend_webhooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text()),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("resend_webhooks_pk")),
        sa.UniqueConstraint("webhook_id", name=op.f("resend_webhooks_unique_webhook_id")),
    )
    for column in ("provider_id", "received_at"):
        op.create_index(f"resend_webhooks_by_{column}", "resend_webhooks", [column])


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("venue_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid()),
        sa.Column("email_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lifted_at", sa.DateTime(timezone=True)),
        sa.Column("lifted_by", sa.Uuid()),
        sa.Column("lift_reason", sa.Text()),
        sa.CheckConstraint("cause IN ('bounced', 'complained', 'suppressed')", name=op.f("suppressions_cause_known")),
        sa.CheckConstraint(
            "num_nonnulls(lifted_at, lifted_by, lift_reason) IN (0, 3)", name=op.f("suppressions_lifted_by_somebody")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("suppressions_pk")),
    )
    in_force = sa.text("lifted_at IS NULL")
    op.create_index("suppressions_in_force", "suppressions", ["address"], unique=True, postgresql_where=in_force)
    op.create_index("suppressions_by_created_at", "suppressions", ["created_at", "id"])
    op.create_index("suppressions_by_user_id", "suppressions", ["user_id"])
