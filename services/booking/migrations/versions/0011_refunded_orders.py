"""Which orders' money has gone back: a booking that they paid for is not paid for any more."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A default that is a constant is no rewrite of the table.
    op.add_column(
        "bookings",
        sa.Column("refunded_orders", postgresql.ARRAY(sa.Text()), nullable=False, server_default=sa.text("'{}'")),
    )


def downgrade() -> None:
    op.drop_column("bookings", "refunded_orders")
