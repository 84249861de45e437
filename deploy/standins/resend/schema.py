"""The tables. A mail is the JSON that was sent, and stays as it is; only what became of it changes."""

from deploy.standins import clock, faults, recording
from deploy.standins.webhooks.schema import WEBHOOKS

OUTBOX = """
CREATE TABLE IF NOT EXISTS emails (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at REAL NOT NULL, idempotency_key TEXT,
  content TEXT NOT NULL, last_event TEXT NOT NULL, scheduled_at REAL,
  recipients INTEGER NOT NULL DEFAULT 1, to_come TEXT NOT NULL DEFAULT '[]', next_event_at REAL
);
CREATE INDEX IF NOT EXISTS emails_by_time ON emails (created_at, recipients);
CREATE INDEX IF NOT EXISTS emails_to_come ON emails (next_event_at) WHERE next_event_at IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS emails_content_is_never_changed
  BEFORE UPDATE OF seq, id, created_at, idempotency_key, content ON emails
  BEGIN SELECT RAISE(ABORT, 'what was sent is not changed'); END;
CREATE TRIGGER IF NOT EXISTS emails_are_never_erased BEFORE DELETE ON emails
  BEGIN SELECT RAISE(ABORT, 'what was sent is not erased'); END;

CREATE TABLE IF NOT EXISTS idempotency_keys (
  key TEXT NOT NULL PRIMARY KEY, body_sha256 TEXT NOT NULL, answer TEXT NOT NULL, created_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS limits (name TEXT NOT NULL PRIMARY KEY, most INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS fates (address TEXT NOT NULL PRIMARY KEY, fate TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS suppressions (address TEXT NOT NULL PRIMARY KEY, origin TEXT NOT NULL);
"""

SCHEMA = clock.SCHEMA + recording.SCHEMA + faults.SCHEMA + WEBHOOKS + OUTBOX
