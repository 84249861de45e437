"""the index of what a block occupies, built beside the traffic."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEX, TABLE = "court_occupancy_by_blocked_slot_id", "court_occupancy"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # What a build leaves that was broken off is not valid, and in the way of the next.
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)
        where = sa.text("blocked_slot_id IS NOT NULL")
        op.create_index(INDEX, TABLE, ["blocked_slot_id"], postgresql_where=where, postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)
