-- What blocks want of these spans and nobody has, they take. Answers, of one snapshot, how many pieces that were, and which bookings stand
-- there. A piece that somebody takes meanwhile is waited for and then left, so the caller asks again until nothing is free.
WITH wanted AS (
    SELECT court_id, starts_at, ends_at
    FROM unnest(CAST(:court_ids AS uuid[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[]))
        AS span (court_id, starts_at, ends_at)
), standing AS MATERIALIZED (
    -- The lock waits for whoever deletes such a block at this moment, and passes over it then.
    SELECT block.id, block.court_id, block.during * tstzrange(wanted.starts_at, wanted.ends_at) AS during
    FROM wanted
    JOIN blocked_slots AS block
        ON block.court_id = wanted.court_id AND block.during && tstzrange(wanted.starts_at, wanted.ends_at)
    FOR KEY SHARE OF block
), free AS (
    SELECT standing.id, standing.court_id, piece
    FROM standing
    CROSS JOIN LATERAL (
        SELECT coalesce(range_agg(occupied.during), '{}') AS during
        FROM court_occupancy AS occupied
        WHERE occupied.court_id = standing.court_id AND occupied.during && standing.during
    ) AS taken
    CROSS JOIN LATERAL unnest(tstzmultirange(standing.during) - taken.during) AS piece
    ORDER BY standing.court_id, lower(piece), standing.id
), filled AS (
    INSERT INTO court_occupancy (court_id, during, blocked_slot_id)
    SELECT court_id, piece, id FROM free
    ON CONFLICT DO NOTHING
)
SELECT
    (SELECT count(*) FROM free) AS free,
    ARRAY(
        SELECT occupied.booking_id
        FROM wanted
        JOIN court_occupancy AS occupied
            ON occupied.court_id = wanted.court_id AND occupied.during && tstzrange(wanted.starts_at, wanted.ends_at)
        WHERE occupied.booking_id IS NOT NULL AND upper(occupied.during) > :now
    ) AS booking_ids
