-- Once for each database, as the owner of its outbox, before Debezium takes over from the relay. Safe to run again.
--
-- The event router makes headers of columns, and of nothing else. So what the relay reads from `headers` and `created_at` is shown as
-- columns, computed by PostgreSQL itself: the services write what they always wrote and need not know.

CREATE OR REPLACE FUNCTION outbox_rfc3339(instant timestamptz) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    -- Marked immutable by us: with a pattern of digits and in UTC, to_char depends on no setting.
    to_char(instant AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

ALTER TABLE outbox
    -- Two that are always the same: Connect's own InsertHeader would take 1.0 for a number and write "1".
    ADD COLUMN IF NOT EXISTS ce_specversion text GENERATED ALWAYS AS ('1.0') STORED,
    ADD COLUMN IF NOT EXISTS content_type text GENERATED ALWAYS AS ('application/json') STORED,
    ADD COLUMN IF NOT EXISTS ce_source text GENERATED ALWAYS AS (headers ->> 'ce_source') STORED,
    ADD COLUMN IF NOT EXISTS ce_time text GENERATED ALWAYS AS (outbox_rfc3339(created_at)) STORED,
    ADD COLUMN IF NOT EXISTS ce_correlationid text GENERATED ALWAYS AS (headers ->> 'ce_correlationid') STORED,
    ADD COLUMN IF NOT EXISTS traceparent text GENERATED ALWAYS AS (headers ->> 'traceparent') STORED,
    -- The router would send a header with a null value where an event has no trace or correlation id. The route says so, and the
    -- connector drops what is named there, and the route's tail.
    ADD COLUMN IF NOT EXISTS route text GENERATED ALWAYS AS (
        aggregatetype
        || CASE WHEN headers ->> 'traceparent' IS NULL THEN '~untraced' ELSE '' END
        || CASE WHEN headers ->> 'ce_correlationid' IS NULL THEN '~uncorrelated' ELSE '' END
    ) STORED;

-- Insertions only: rows that are deleted or tidied away later are nobody's event.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'courtside_outbox') THEN
        CREATE PUBLICATION courtside_outbox FOR TABLE outbox WITH (publish = 'insert', publish_generated_columns = stored);
    END IF;
END $$;
