-- After the relay has taken over again: without its slot dropped, PostgreSQL keeps all its log for a connector that never comes.
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_name = 'courtside_outbox_' || current_database() AND NOT active;

DROP PUBLICATION IF EXISTS courtside_outbox;

ALTER TABLE outbox
    DROP CONSTRAINT IF EXISTS outbox_no_verbatim,
    DROP COLUMN IF EXISTS route,
    DROP COLUMN IF EXISTS traceparent,
    DROP COLUMN IF EXISTS ce_correlationid,
    DROP COLUMN IF EXISTS ce_time,
    DROP COLUMN IF EXISTS ce_source,
    DROP COLUMN IF EXISTS content_type,
    DROP COLUMN IF EXISTS ce_specversion;

DROP FUNCTION IF EXISTS outbox_rfc3339, outbox_tidy;
DROP TABLE IF EXISTS outbox_mark;
