"""club calendar: exceptions from the opening hours, notice, and prices by date and role."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ON_A_CELL = "extract(epoch FROM opens) % 300 = 0"
RULES = {
    "band_within_a_day": "ends = '00:00' OR starts < ends",
    "valid_from_before_until": "valid_from <= valid_until",
    "role_is_known": "role IN ('player', 'staff', 'admin')",
}


def upgrade() -> None:
    # Constant defaults and nullable columns: no row of a large table is rewritten.
    op.add_column("venues", sa.Column("minimum_notice_minutes", sa.SmallInteger(), nullable=False, server_default=sa.text("0")))
    op.create_check_constraint(op.f("venues_notice_not_negative"), "venues", "minimum_notice_minutes >= 0")
    op.create_check_constraint(op.f("opening_hours_opens_on_five_minutes"), "opening_hours", ON_A_CELL)
    op.create_table(
        "opening_exceptions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("venue_id", sa.Uuid(), nullable=False),
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("opens", sa.Time(), comment="NULL: closed on that day"),
        sa.Column("closes", sa.Time()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("(opens IS NULL) = (closes IS NULL)", name=op.f("opening_exceptions_both_or_closed")),
        sa.CheckConstraint(ON_A_CELL, name=op.f("opening_exceptions_opens_on_five_minutes")),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("opening_exceptions_venue_id_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("opening_exceptions_pk")),
        sa.UniqueConstraint("venue_id", "date", "opens", name="opening_exceptions_once", postgresql_nulls_not_distinct=True),
    )
    op.add_column("price_rules", sa.Column("valid_from", sa.Date()))
    op.add_column("price_rules", sa.Column("valid_until", sa.Date(), comment="inclusive"))
    op.add_column("price_rules", sa.Column("role", sa.Text(), comment="NULL: for everybody"))
    for name, rule in RULES.items():
        op.create_check_constraint(op.f(f"price_rules_{name}"), "price_rules", rule)
    op.add_column("bookings", sa.Column("price_rule_id", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("bookings", "price_rule_id")
    for name in RULES:
        op.drop_constraint(op.f(f"price_rules_{name}"), "price_rules")
    for column in ("role", "valid_until", "valid_from"):
        op.drop_column("price_rules", column)
    op.drop_table("opening_exceptions")
    op.drop_constraint(op.f("opening_hours_opens_on_five_minutes"), "opening_hours")
    op.drop_constraint(op.f("venues_notice_not_negative"), "venues")
    op.drop_column("venues", "minimum_notice_minutes")
