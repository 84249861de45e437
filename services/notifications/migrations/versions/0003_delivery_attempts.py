"""What was begun and did not end: the guard against records that kill their process."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery_attempts",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("alone", sa.Boolean, nullable=False),
        sa.Column("process", postgresql.UUID(as_uuid=True), nullable=False),
        sa.Column("starts", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "offset", "alone", name="delivery_attempts_pk"),
    )


def downgrade() -> None:
    op.drop_table("delivery_attempts")
