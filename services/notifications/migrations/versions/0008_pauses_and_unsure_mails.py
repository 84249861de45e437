"""When a provider asked to be left alone, apart from the turns that were taken; and an index, built beside the traffic, of unsure mails."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INDEX, TABLE = "emails_unsure", "emails"


def upgrade() -> None:
    with op.get_context().autocommit_block():  # first, since what is before it is committed
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)  # what a build that broke off has left
        op.create_index(
            INDEX,
            TABLE,
            ["first_tried_at"],
            postgresql_concurrently=True,
            postgresql_where=sa.text("state IN ('queued', 'refused')"),
        )
    op.add_column("provider_turns", sa.Column("paused_until", sa.DateTime(timezone=True)))


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)
    op.drop_column("provider_turns", "paused_until")
