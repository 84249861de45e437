"""the life of a booking: refunds that are due, and why it was cancelled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INDEXES = (
    ("bookings_by_hold_end", "bookings", "hold_expires_at", sa.text("status = 'held'")),
    ("bookings_by_end", "bookings", "ends_at", sa.text("status = 'confirmed'")),
    ("idempotency_keys_by_created_at", "idempotency_keys", "created_at", None),
)


def upgrade() -> None:
    # First, since each commits by itself: when one fails, the migration can be run again from its beginning.
    with op.get_context().autocommit_block():
        for index, table, column, where in INDEXES:
            # What a build leaves that was broken off is not valid, and in the way of the next.
            op.drop_index(index, table, postgresql_concurrently=True, if_exists=True)
            op.create_index(index, table, [column], postgresql_where=where, postgresql_concurrently=True)
    # A constant default: no row is rewritten.
    op.add_column("bookings", sa.Column("refunds_due", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("bookings", sa.Column("cancel_reason", sa.Text()))
    op.create_table(
        "crons",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="crons_pk"),
    )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for index, table, *_ in INDEXES:
            op.drop_index(index, table, postgresql_concurrently=True, if_exists=True)
    op.drop_table("crons")
    op.drop_column("bookings", "cancel_reason")
    op.drop_column("bookings", "refunds_due")
