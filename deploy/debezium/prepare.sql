-- Once for each database, as the owner of its outbox, before Debezium takes over from the relay: all of it, or nothing
-- (`psql -1 -v ON_ERROR_STOP=1 -f prepare.sql`). Safe to run again.
--
-- The event router makes headers of columns, and of nothing else. So what the relay reads from `headers` and `created_at` is shown as
-- columns, computed by PostgreSQL itself: the services write what they always wrote and need not know.

-- A record that is sent as it is (decision 19) has its key and headers packed in one member, which the router would pass over: it would go
-- out as another one. If such rows still wait, this fails and changes nothing: let the relay send them, and run it again.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conname = 'outbox_no_verbatim' AND conrelid = 'outbox'::regclass) THEN
        ALTER TABLE outbox ADD CONSTRAINT outbox_no_verbatim CHECK (NOT headers ? 'verbatim');
    END IF;
END $$;

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

-- An instant, and how far the log was then, while the connector was connected since `connected_at`. One row at most.
CREATE TABLE IF NOT EXISTS outbox_mark (at timestamptz NOT NULL, lsn pg_lsn NOT NULL, connected_at timestamptz NOT NULL);

-- Deletes at most `most` rows and returns how many: those that were written so long before the mark, once the slot's confirmed place is
-- behind it. PostgreSQL does not tell where in the log a row was committed; by the mark's instant those were whose transaction took less
-- than `kept`. When all of them are gone there is a new mark. So there is whenever the connector has connected anew: its slot may have been
-- lost and made again, and the confirmed place of a new slot says nothing of what was before.
CREATE OR REPLACE FUNCTION outbox_tidy(kept interval DEFAULT '1 day', most bigint DEFAULT 1000) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    slot record;
    mark record;
    deleted bigint := 0;
BEGIN
    SELECT confirmed_flush_lsn AS lsn, backend_start AS connected_at INTO slot
    FROM pg_replication_slots JOIN pg_stat_activity ON pid = active_pid
    WHERE slot_name = 'courtside_outbox_' || current_database();
    SELECT * INTO mark FROM outbox_mark FOR UPDATE;
    IF slot IS NULL OR (mark.connected_at = slot.connected_at AND mark.lsn >= slot.lsn) THEN
        RETURN 0;
    END IF;
    IF mark.connected_at = slot.connected_at THEN
        DELETE FROM outbox WHERE seq IN (
            SELECT seq FROM outbox WHERE created_at < mark.at - kept ORDER BY seq LIMIT most
        );
        GET DIAGNOSTICS deleted = ROW_COUNT;
    END IF;
    IF deleted < most THEN
        DELETE FROM outbox_mark;
        INSERT INTO outbox_mark VALUES (clock_timestamp(), pg_current_wal_insert_lsn(), slot.connected_at);
    END IF;
    RETURN deleted;
END $$;
