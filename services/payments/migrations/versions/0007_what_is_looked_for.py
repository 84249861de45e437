"""Indexes for what staff and the reconciler look for, built beside the traffic."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INDEXES: tuple[tuple[str, str, list[str], str | None], ...] = (
    ("payment_attempts_by_booking_id", "payment_attempts", ["booking_id"], None),
    ("payment_attempts_unfinished", "payment_attempts", ["created_at"], "state IN ('creating', 'open')"),
    ("orders_by_attempt_id", "orders", ["attempt_id"], None),
    ("quarantined_orders_unsettled", "quarantined_orders", ["found_at", "id"], "settled_at IS NULL"),
    ("polar_webhooks_by_received_at", "polar_webhooks", ["received_at"], None),
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, columns, where in INDEXES:
            # What a build leaves that was broken off is not valid, and in the way of the next.
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
            rows: dict[str, Any] = {"postgresql_where": sa.text(where)} if where else {}
            op.create_index(name, table, columns, postgresql_concurrently=True, **rows)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        for name, table, _, _ in reversed(INDEXES):
            op.drop_index(name, table, postgresql_concurrently=True, if_exists=True)
