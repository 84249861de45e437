"""A recipient whose user was erased: an empty row that says so, and mails that are dropped for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PERSONAL = ("email", "name", "locale")


STATES, STATES_BEFORE = "state IN ('queued', 'sent', 'unknown', 'dropped')", "state IN ('queued', 'sent', 'unknown')"


def upgrade() -> None:
    _allow_states(STATES)
    op.add_column("recipients", sa.Column("erased_at", sa.DateTime(timezone=True)))
    for column in PERSONAL:
        op.alter_column("recipients", column, nullable=True)
    op.create_check_constraint(
        op.f("recipients_erased_is_empty"),
        "recipients",
        "num_nonnulls(email, name, locale) = CASE WHEN erased_at IS NULL THEN 3 ELSE 0 END",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("recipients_erased_is_empty"), "recipients")
    op.execute("DELETE FROM recipients WHERE erased_at IS NOT NULL")
    for column in PERSONAL:
        op.alter_column("recipients", column, nullable=False)
    op.drop_column("recipients", "erased_at")
    op.execute("DELETE FROM emails WHERE state = 'dropped'")
    _allow_states(STATES_BEFORE)


def _allow_states(states: str) -> None:
    op.drop_constraint(op.f("emails_state_known"), "emails")
    op.create_check_constraint(op.f("emails_state_known"), "emails", states)
