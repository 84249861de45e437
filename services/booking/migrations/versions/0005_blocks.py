"""blocks: blocked slots under the one exclusion constraint, and closures."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blocked_slots",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("venue_id", sa.Uuid(), nullable=False),
        sa.Column("court_id", sa.Uuid(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("NOT isempty(during) AND NOT lower_inf(during) AND NOT upper_inf(during)", name=op.f("blocked_slots_has_an_interval")),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("blocked_slots_venue_id_fk")),
        sa.ForeignKeyConstraint(["court_id"], ["courts.id"], name=op.f("blocked_slots_court_id_fk")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("blocked_slots_created_by_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("blocked_slots_pk")),
    )
    op.create_index("blocked_slots_by_court_and_time", "blocked_slots", ["court_id", "during"], postgresql_using="gist")
    op.create_index("blocked_slots_by_series_id", "blocked_slots", ["series_id"])
    op.create_index("blocked_slots_by_venue_and_start", "blocked_slots", ["venue_id", sa.text("lower(during)"), "id"])
    op.create_table(
        "closures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("venue_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("cancelled", sa.Integer(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("state IN ('cancelling', 'done')", name=op.f("closures_state_is_known")),
        sa.CheckConstraint("(state = 'done') = (finished_at IS NOT NULL)", name=op.f("closures_done_has_an_instant")),
        sa.ForeignKeyConstraint(["venue_id"], ["venues.id"], name=op.f("closures_venue_id_fk")),
        sa.ForeignKeyConstraint(["created_by"], ["users.id"], name=op.f("closures_created_by_fk")),
        sa.PrimaryKeyConstraint("id", name=op.f("closures_pk")),
    )
    op.create_index("closures_that_go_on", "closures", ["id"], postgresql_where=sa.text("state = 'cancelling'"))
    # The table holds live claims only, a few thousand rows: looking through it under the lock takes milliseconds.
    op.add_column("court_occupancy", sa.Column("blocked_slot_id", sa.Uuid()))
    op.create_foreign_key(
        op.f("court_occupancy_blocked_slot_id_fk"), "court_occupancy", "blocked_slots", ["blocked_slot_id"], ["id"], ondelete="CASCADE"
    )
    op.create_check_constraint(op.f("court_occupancy_one_claim"), "court_occupancy", "num_nonnulls(booking_id, blocked_slot_id) = 1")


def downgrade() -> None:
    op.execute("DELETE FROM court_occupancy WHERE booking_id IS NULL")
    op.drop_constraint(op.f("court_occupancy_one_claim"), "court_occupancy")
    op.drop_column("court_occupancy", "blocked_slot_id")
    op.drop_table("closures")
    op.drop_table("blocked_slots")
