"""the club and its bookings."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


REFUSE_HOLD = """
CREATE FUNCTION refuse_hold(reason text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    -- Raising undoes the whole statement; an empty CTE would not undo the inserts before it.
    RAISE EXCEPTION USING ERRCODE = 'CS001', MESSAGE = reason;
END $$
"""
# Rows live for milliseconds: the table stays small only when it is vacuumed by count, not by share.
VACUUM_OUTBOX = """
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0)
"""


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    op.execute(REFUSE_HOLD)
    op.create_table('inbox',
    sa.Column('consumer_group', sa.Text(), nullable=False),
    sa.Column('event_id', sa.Text(), nullable=False),
    sa.Column('handled_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('consumer_group', 'event_id', name=op.f('inbox_pk'))
    )
    op.create_table('outbox',
    sa.Column('seq', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('aggregatetype', sa.Text(), nullable=False),
    sa.Column('aggregateid', sa.Text(), nullable=False),
    sa.Column('type', sa.Text(), nullable=False),
    sa.Column('payload', sa.LargeBinary(), nullable=True),
    sa.Column('headers', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('seq', name=op.f('outbox_pk'))
    )
    op.create_table('users',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('email', sa.Text(), nullable=True),
    sa.Column('name', sa.Text(), nullable=True),
    sa.Column('locale', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('erased_at', sa.DateTime(timezone=True), nullable=True),
    sa.CheckConstraint("role IN ('player', 'staff', 'admin')", name=op.f('users_role_is_known')),
    sa.PrimaryKeyConstraint('id', name=op.f('users_pk'))
    )
    op.create_index('users_by_email', 'users', [sa.literal_column('lower(email)')], unique=True, postgresql_where=sa.text('email IS NOT NULL'))
    op.create_table('venues',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('time_zone', sa.Text(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('hold_minutes', sa.SmallInteger(), nullable=False),
    sa.Column('cancellation_window_hours', sa.SmallInteger(), nullable=False),
    sa.Column('max_active_bookings', sa.SmallInteger(), nullable=False),
    sa.Column('booking_horizon_days', sa.SmallInteger(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('venues_pk'))
    )
    op.create_table('courts',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('venue_id', sa.Uuid(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('surface', sa.Text(), nullable=False),
    sa.Column('slot_minutes', sa.SmallInteger(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.CheckConstraint('slot_minutes IN (60, 90)', name=op.f('courts_slot_minutes_60_or_90')),
    sa.ForeignKeyConstraint(['venue_id'], ['venues.id'], name=op.f('courts_venue_id_fk')),
    sa.PrimaryKeyConstraint('id', name=op.f('courts_pk'))
    )
    op.create_index('courts_by_venue_id', 'courts', ['venue_id'], unique=False)
    op.create_table('opening_hours',
    sa.Column('venue_id', sa.Uuid(), nullable=False),
    sa.Column('weekday', sa.SmallInteger(), nullable=False),
    sa.Column('opens', sa.Time(), nullable=False),
    sa.Column('closes', sa.Time(), nullable=False),
    sa.CheckConstraint('weekday BETWEEN 0 AND 6', name=op.f('opening_hours_weekday_is_one')),
    sa.ForeignKeyConstraint(['venue_id'], ['venues.id'], name=op.f('opening_hours_venue_id_fk')),
    sa.PrimaryKeyConstraint('venue_id', 'weekday', 'opens', name=op.f('opening_hours_pk'))
    )
    op.create_table('bookings',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('court_id', sa.Uuid(), nullable=False),
    sa.Column('venue_id', sa.Uuid(), nullable=False),
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('starts_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ends_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('seat', sa.SmallInteger(), nullable=False),
    sa.Column('price_minor', sa.Integer(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('cancellation_window_hours', sa.SmallInteger(), nullable=False),
    sa.Column('hold_expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('checkout_url', sa.Text(), nullable=True),
    sa.Column('order_id', sa.Text(), nullable=True),
    sa.Column('version', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.CheckConstraint("(status = 'held') = (hold_expires_at IS NOT NULL) OR status = 'expired'", name=op.f('bookings_hold_has_an_end')),
    sa.CheckConstraint("status IN ('held', 'confirmed', 'cancelled', 'expired', 'completed')", name=op.f('bookings_status_is_known')),
    sa.CheckConstraint('price_minor >= 0', name=op.f('bookings_price_not_negative')),
    sa.CheckConstraint('starts_at < ends_at', name=op.f('bookings_ends_after_start')),
    sa.ForeignKeyConstraint(['court_id'], ['courts.id'], name=op.f('bookings_court_id_fk')),
    sa.ForeignKeyConstraint(['user_id'], ['users.id'], name=op.f('bookings_user_id_fk')),
    sa.ForeignKeyConstraint(['venue_id'], ['venues.id'], name=op.f('bookings_venue_id_fk')),
    sa.PrimaryKeyConstraint('id', name=op.f('bookings_pk'))
    )
    op.create_index('bookings_by_court_id', 'bookings', ['court_id'], unique=False)
    op.create_index('bookings_by_date', 'bookings', ['starts_at'], unique=False)
    op.create_index('bookings_by_user_id', 'bookings', ['user_id'], unique=False)
    op.create_index('bookings_one_seat_each', 'bookings', ['user_id', 'seat'], unique=True, postgresql_where=sa.text("status IN ('held', 'confirmed')"))
    op.create_table('price_rules',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('venue_id', sa.Uuid(), nullable=False),
    sa.Column('court_id', sa.Uuid(), nullable=True),
    sa.Column('weekdays', sa.ARRAY(sa.SmallInteger()), nullable=False),
    sa.Column('starts', sa.Time(), nullable=False),
    sa.Column('ends', sa.Time(), nullable=False),
    sa.Column('price_minor', sa.Integer(), nullable=False),
    sa.Column('priority', sa.SmallInteger(), nullable=False),
    sa.CheckConstraint('price_minor >= 0', name=op.f('price_rules_price_not_negative')),
    sa.ForeignKeyConstraint(['court_id'], ['courts.id'], name=op.f('price_rules_court_id_fk')),
    sa.ForeignKeyConstraint(['venue_id'], ['venues.id'], name=op.f('price_rules_venue_id_fk')),
    sa.PrimaryKeyConstraint('id', name=op.f('price_rules_pk'))
    )
    op.create_index('price_rules_by_venue_id', 'price_rules', ['venue_id'], unique=False)
    op.create_table('court_occupancy',
    sa.Column('id', sa.BigInteger(), sa.Identity(always=True), nullable=False),
    sa.Column('court_id', sa.Uuid(), nullable=False),
    sa.Column('during', postgresql.TSTZRANGE(), nullable=False),
    sa.Column('booking_id', sa.Uuid(), nullable=True),
    postgresql.ExcludeConstraint((sa.column('court_id'), '='), (sa.column('during'), '&&'), using='gist', name='court_occupancy_no_overlap'),
    sa.ForeignKeyConstraint(['booking_id'], ['bookings.id'], name=op.f('court_occupancy_booking_id_fk')),
    sa.ForeignKeyConstraint(['court_id'], ['courts.id'], name=op.f('court_occupancy_court_id_fk')),
    sa.PrimaryKeyConstraint('id', name=op.f('court_occupancy_pk')),
    sa.UniqueConstraint('booking_id', name=op.f('court_occupancy_unique_booking_id'))
    )
    op.create_table('idempotency_keys',
    sa.Column('user_id', sa.Uuid(), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('request_hash', sa.LargeBinary(), nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('headers', postgresql.JSONB(), nullable=False),
    sa.Column('body', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('user_id', 'key', name=op.f('idempotency_keys_pk'))
    )
    op.execute(VACUUM_OUTBOX)


def downgrade() -> None:
    op.execute("DROP FUNCTION refuse_hold")
    op.drop_table('idempotency_keys')
    op.drop_table('court_occupancy')
    op.drop_index('price_rules_by_venue_id', table_name='price_rules')
    op.drop_table('price_rules')
    op.drop_index('bookings_one_seat_each', table_name='bookings', postgresql_where=sa.text("status IN ('held', 'confirmed')"))
    op.drop_index('bookings_by_user_id', table_name='bookings')
    op.drop_index('bookings_by_date', table_name='bookings')
    op.drop_index('bookings_by_court_id', table_name='bookings')
    op.drop_table('bookings')
    op.drop_table('opening_hours')
    op.drop_index('courts_by_venue_id', table_name='courts')
    op.drop_table('courts')
    op.drop_table('venues')
    op.drop_index('users_by_email', table_name='users', postgresql_where=sa.text('email IS NOT NULL'))
    op.drop_table('users')
    op.drop_table('outbox')
    op.drop_table('inbox')
