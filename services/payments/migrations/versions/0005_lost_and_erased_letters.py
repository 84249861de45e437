"""A dead letter may be opened again, and may be without its value: it was too large, or its subject was erased. They are found by key."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACTIONS = "action IN ('redrive', 'edit', 'discard', 'halt')"
ACTIONS_AND_REOPEN = "action IN ('redrive', 'edit', 'discard', 'reopen', 'halt')"
INDEX, TABLE = "dead_letters_by_key", "dead_letters"


def upgrade() -> None:
    with op.get_context().autocommit_block():  # first, since what is before it is committed
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)  # what a build that broke off has left
        # A key may be larger than a B-tree takes.
        op.create_index(INDEX, TABLE, ["key"], postgresql_using="hash", postgresql_concurrently=True)
    _actions_are(ACTIONS_AND_REOPEN)
    op.add_column("dead_letters", sa.Column("missing", sa.Text()))
    op.create_check_constraint(
        op.f("dead_letters_known_to_be_missing"), "dead_letters", "missing IN ('omitted', 'erased')"
    )
    op.create_check_constraint(
        op.f("dead_letters_missing_or_there"), "dead_letters", "missing IS NULL OR value IS NULL"
    )
    op.create_table(
        "erased_keys",
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("erased_keys_pk")),
    )
    op.create_index("erased_keys_by_erased_at", "erased_keys", ["erased_at"])


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(INDEX, TABLE, postgresql_concurrently=True, if_exists=True)
    op.drop_table("erased_keys")
    op.drop_constraint(op.f("dead_letters_missing_or_there"), "dead_letters")
    op.drop_constraint(op.f("dead_letters_known_to_be_missing"), "dead_letters")
    op.drop_column("dead_letters", "missing")
    op.execute("DELETE FROM dead_letter_actions WHERE action = 'reopen'")
    _actions_are(ACTIONS)


def _actions_are(condition: str) -> None:
    name = op.f("dead_letter_actions_known_action")
    op.drop_constraint(name, "dead_letter_actions")
    op.create_check_constraint(name, "dead_letter_actions", condition)
