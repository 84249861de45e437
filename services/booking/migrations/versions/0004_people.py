"""people: what a user wrote themselves, what is left of an erased one, and who works where."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OWN = ("name_is_own", "locale_is_own")


def upgrade() -> None:
    # Constant defaults: no row is rewritten.
    for column in OWN:
        op.add_column("users", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("users", "locale", nullable=True)
    op.create_check_constraint(
        op.f("users_erased_is_empty"),
        "users",
        "num_nonnulls(email, name, locale) = CASE WHEN erased_at IS NULL THEN 3 ELSE 0 END",
    )
    op.create_table(
        "venue_staff",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("venue_id", sa.Uuid(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("venue_staff_user_id_fk")),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("venue_staff_venue_id_fk")),
        sa.PrimaryKeyConstraint("user_id", "venue_id", name=op.f("venue_staff_pk")),
    )
    op.create_index("venue_staff_by_venue_id", "venue_staff", ["venue_id"])


def downgrade() -> None:
    op.drop_table("venue_staff")
    op.drop_constraint(op.f("users_erased_is_empty"), "users")
    op.execute("UPDATE users SET locale = 'und' WHERE locale IS NULL")
    op.alter_column("users", "locale", nullable=False)
    for column in OWN:
        op.drop_column("users", column)
