-- The hold (or, with nothing to pay, the confirmed booking): one statement, one round trip, one commit. Each insert either finds its place free or inserts nothing; a missing row
-- anywhere refuses the whole, since an empty CTE would not undo those before it. ON CONFLICT DO NOTHING is what keeps racers from
-- waiting on each other in a circle, which a plain insert under an exclusion constraint does.
-- The player is looked for and held here, whatever a process remembers of them: an erasure comes before or after, never in between.
WITH player AS (
    SELECT 1 FROM users WHERE id = $1 AND erased_at IS NULL FOR KEY SHARE
), answer AS (
    INSERT INTO idempotency_keys (user_id, key, request_hash, status, headers, body, created_at)
    SELECT $23, $2, $3, 201, $24, $4, $5 WHERE $2::text IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING 1
), first_time AS (
    SELECT 1 FROM player WHERE $2::text IS NULL OR EXISTS (SELECT 1 FROM answer)
), occupied AS (
    INSERT INTO court_occupancy (court_id, during, booking_id)
    SELECT $6, tstzrange($7, $8), $9 FROM first_time
    ON CONFLICT DO NOTHING
    RETURNING 1
), seated AS (
    SELECT number
    FROM occupied, generate_series(1, $10::int) AS number
    WHERE NOT EXISTS (
        SELECT 1 FROM bookings
        WHERE user_id = $1 AND seat = number AND status IN ('held', 'confirmed')
    )
    ORDER BY number
    LIMIT 1
), booked AS (
    INSERT INTO bookings (id, court_id, venue_id, user_id, starts_at, ends_at, status, seat, price_minor, currency,
                          cancellation_window_hours, hold_expires_at, version, created_at, price_rule_id)
    SELECT $9, $6, $11, $1, $7, $8, $22, number, $12, $13, $14, $15, 1, $5, $25 FROM seated
    ON CONFLICT DO NOTHING
    RETURNING 1
), told AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at)
    SELECT $16, $17, $18, $19, $20, $21, $5 FROM booked
    RETURNING 1
)
SELECT CASE
    WHEN EXISTS (SELECT 1 FROM told) THEN 'held'
    WHEN NOT EXISTS (SELECT 1 FROM player) THEN refuse_hold('player erased')
    WHEN NOT EXISTS (SELECT 1 FROM first_time) THEN refuse_hold('key seen')
    WHEN NOT EXISTS (SELECT 1 FROM occupied) THEN refuse_hold('slot taken')
    WHEN NOT EXISTS (SELECT 1 FROM seated) THEN refuse_hold('no seat')
    ELSE refuse_hold('seat race')
END
