"""A second club beside the seeded one, whose holds last a few seconds, so that a play about late payments is short."""

from __future__ import annotations

from uuid import UUID

HOLD_SECONDS = 8.0
VENUE_ID = UUID("019ab1d0-0c0a-7000-8000-00000000000a")
COURT_ID = UUID("019ab1d0-0c0a-7000-8000-00000000000b")

SHORT_HOLDS = f"""
-- Minutes with a fraction: no club needs them, and the code only multiplies them.
ALTER TABLE venues ALTER COLUMN hold_minutes TYPE double precision;
INSERT INTO venues (id, name, time_zone, currency, hold_minutes, cancellation_window_hours, max_active_bookings, booking_horizon_days)
VALUES ('{VENUE_ID}', 'Club de los Impacientes', 'Europe/Madrid', 'EUR', {HOLD_SECONDS / 60}, 24, 2, 30);
INSERT INTO opening_hours (venue_id, weekday, opens, closes)
SELECT '{VENUE_ID}', weekday, '08:00', '23:00' FROM generate_series(0, 6) AS weekday;
INSERT INTO courts (id, venue_id, name, surface, slot_minutes, active)
VALUES ('{COURT_ID}', '{VENUE_ID}', 'Pista rápida', 'hard', 60, true);
INSERT INTO price_rules (id, venue_id, weekdays, starts, ends, price_minor, priority)
VALUES (gen_random_uuid(), '{VENUE_ID}', '{{0,1,2,3,4,5,6}}', '00:00', '00:00', 1500, 0);
"""
