"""Years of bookings that were: made by the server itself, since ten million are too many to send to it."""

from __future__ import annotations

from typing import Any

import asyncpg

from tests.bench.club import COURT_IDS, COURTS, PLAYER_IDS, PLAYERS, VENUE

BATCH = 500_000
PATIENCE_SECONDS = 3_600.0

# The oldest first, so that ids and times grow as they do in a club's life. Every hour of every court was taken.
PAST = f"""
INSERT INTO bookings (id, court_id, venue_id, user_id, starts_at, ends_at, status, seat, price_minor, currency,
                      cancellation_window_hours, order_id, version, created_at)
SELECT uuidv7(starts_at - interval '3 days' - clock_timestamp()),
       ('{COURT_IDS}' || lpad(to_hex(back % {COURTS}), 12, '0'))::uuid, '{VENUE}',
       ('{PLAYER_IDS}' || lpad(to_hex(back % {PLAYERS}), 12, '0'))::uuid, starts_at, starts_at + interval '1 hour',
       CASE WHEN back % 10 < 8 THEN 'completed' ELSE 'cancelled' END, 1, 2400, 'EUR', 24, gen_random_uuid()::text, 3,
       starts_at - interval '3 days'
FROM (
    SELECT back, date_trunc('hour', now()) - (back / {COURTS} + 2) * interval '1 hour' AS starts_at
    FROM generate_series($1::bigint, $2::bigint, -1) AS back
) AS past
"""


async def live_through(connection: asyncpg.Connection[Any], bookings: int) -> None:
    """So many bookings of the past, in a club that has none yet. As superuser: what refers to what is known to be right."""
    await connection.execute("SET session_replication_role = replica")
    for oldest in range(bookings, 0, -BATCH):
        await connection.execute(PAST, oldest - 1, max(0, oldest - BATCH), timeout=PATIENCE_SECONDS)
    await connection.execute("RESET session_replication_role")
    await connection.execute("VACUUM (FREEZE, ANALYZE) bookings", timeout=PATIENCE_SECONDS)
