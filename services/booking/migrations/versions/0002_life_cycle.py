"""the life of a booking: refunds that are due, and why it was cancelled."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

DUE = (("bookings_by_hold_end", "hold_expires_at", "held"), ("bookings_by_end", "ends_at", "confirmed"))


def upgrade() -> None:
    # A constant default: no row is rewritten.
    op.add_column("bookings", sa.Column("refunds_due", postgresql.JSONB(), nullable=False, server_default=sa.text("'[]'")))
    op.add_column("bookings", sa.Column("cancel_reason", sa.Text()))
    op.create_table(
        "crons",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fired_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="crons_pk"),
    )
    for index, column, status in DUE:
        op.create_index(index, "bookings", [column], postgresql_where=sa.text(f"status = '{status}'"))
    op.create_index("idempotency_keys_by_created_at", "idempotency_keys", ["created_at"])


def downgrade() -> None:
    op.drop_index("idempotency_keys_by_created_at", "idempotency_keys")
    for index, *_ in DUE:
        op.drop_index(index, "bookings")
    op.drop_table("crons")
    op.drop_column("bookings", "cancel_reason")
    op.drop_column("bookings", "refunds_due")
