"""Endpoints, the events for each of them, and what came of every attempt."""

WEBHOOKS = """
CREATE TABLE IF NOT EXISTS webhook_endpoints (
  id TEXT NOT NULL PRIMARY KEY, url TEXT NOT NULL, events TEXT NOT NULL, enabled INTEGER NOT NULL, created_at REAL NOT NULL,
  secret TEXT NOT NULL DEFAULT '', signing TEXT NOT NULL DEFAULT 'standard',
  enabled_at REAL NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS webhook_events (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  endpoint_id TEXT NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
  type TEXT NOT NULL, payload TEXT NOT NULL, created_at REAL NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'skipped')),
  attempts INTEGER NOT NULL, next_attempt_at REAL NOT NULL, first_attempt_at REAL, last_http_code INTEGER,
  place INTEGER, held_by INTEGER
);
CREATE INDEX IF NOT EXISTS webhook_events_untried ON webhook_events (endpoint_id, COALESCE(place, seq))
  WHERE state = 'pending' AND first_attempt_at IS NULL;
CREATE INDEX IF NOT EXISTS webhook_events_upcoming ON webhook_events (next_attempt_at) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS webhook_deliveries (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
  event_id TEXT NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
  at REAL NOT NULL, succeeded INTEGER NOT NULL, http_code INTEGER, response TEXT
);
CREATE INDEX IF NOT EXISTS webhook_deliveries_of_event ON webhook_deliveries (event_id);
"""
