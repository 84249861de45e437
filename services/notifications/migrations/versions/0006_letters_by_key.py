"""The letters of one key: an erasure looks for them, and so does the desk."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEX, TABLE = "dead_letters_by_key", "dead_letters"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # What a build that broke off has left would be in the way.
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)
        # A key may be larger than a B-tree takes.
        op.create_index(INDEX, TABLE, ["key"], postgresql_using="hash", postgresql_concurrently=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)
