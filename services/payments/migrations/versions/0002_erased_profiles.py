"""A profile whose user was erased: an empty row that says so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PERSONAL = ("email", "name", "locale")


def upgrade() -> None:
    op.add_column("profiles", sa.Column("erased_at", sa.DateTime(timezone=True)))
    for column in PERSONAL:
        op.alter_column("profiles", column, nullable=True)
    op.create_check_constraint(
        op.f("profiles_erased_is_empty"),
        "profiles",
        "num_nonnulls(email, name, locale) = CASE WHEN erased_at IS NULL THEN 3 ELSE 0 END",
    )


def downgrade() -> None:
    op.drop_constraint(op.f("profiles_erased_is_empty"), "profiles")
    op.execute("DELETE FROM profiles WHERE erased_at IS NOT NULL")
    for column in PERSONAL:
        op.alter_column("profiles", column, nullable=False)
    op.drop_column("profiles", "erased_at")
