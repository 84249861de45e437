"""The tables. A resource is the JSON document that Polar answers, beside the few columns that the stand-in searches by."""

from deploy.standins import clock, faults, recording
from deploy.standins.webhooks.schema import WEBHOOKS

BOOKS = """
CREATE TABLE IF NOT EXISTS customers (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, email TEXT NOT NULL UNIQUE, external_id TEXT UNIQUE, doc TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS checkouts (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, client_secret TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
  expires_at REAL NOT NULL, doc TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS payments (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, checkout_id TEXT NOT NULL REFERENCES checkouts (id),
  status TEXT NOT NULL, settles_at REAL, doc TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS payments_one_under_way ON payments (checkout_id) WHERE status = 'pending';
CREATE TABLE IF NOT EXISTS orders (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, checkout_id TEXT NOT NULL UNIQUE REFERENCES checkouts (id),
  status TEXT NOT NULL, created_at REAL NOT NULL, doc TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refunds (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, order_id TEXT NOT NULL REFERENCES orders (id),
  status TEXT NOT NULL, settles_at REAL, ends TEXT NOT NULL DEFAULT 'succeeded', doc TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('charge', 'refund', 'reversal')),
  order_id TEXT NOT NULL, checkout_id TEXT NOT NULL, refund_id TEXT,
  amount INTEGER NOT NULL CHECK (amount > 0), currency TEXT NOT NULL, metadata TEXT NOT NULL, at TEXT NOT NULL,
  CHECK ((kind = 'charge') = (refund_id IS NULL))
);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_one_entry_per_refund ON ledger (refund_id, kind) WHERE kind <> 'charge';
CREATE UNIQUE INDEX IF NOT EXISTS ledger_one_charge_per_checkout ON ledger (checkout_id) WHERE kind = 'charge';
CREATE TRIGGER IF NOT EXISTS ledger_is_never_changed BEFORE UPDATE ON ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_is_never_erased BEFORE DELETE ON ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_refunds_at_most_the_charge BEFORE INSERT ON ledger WHEN NEW.kind = 'refund' AND
  NEW.amount > (SELECT COALESCE(SUM(CASE kind WHEN 'refund' THEN -amount ELSE amount END), 0)
                FROM ledger WHERE order_id = NEW.order_id)
  BEGIN SELECT RAISE(ABORT, 'a refund exceeds what is left of the charge'); END;
"""

SCHEMA = clock.SCHEMA + recording.SCHEMA + faults.SCHEMA + WEBHOOKS + BOOKS
