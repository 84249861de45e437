from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select, text

from services.chassis.unit_of_work import UnitOfWork
from services.payments.webhooks.receipts import Receipt
from services.payments.webhooks.tables import ReceivedWebhook

KEPT = timedelta(days=120)
"""Longer than Polar keeps an event that may be sent again, and than our topic and dead letters keep its record (90 days)."""
PURGE_BATCH = 1_000


# Arrays, not a row of values for each: one statement for any number of them, in an order in which two processes never lock each other out.
KEEP = text("""
INSERT INTO polar_webhooks (id, webhook_id, type, body, received_at)
SELECT * FROM unnest(
    CAST(:ids AS uuid[]), CAST(:webhook_ids AS text[]), CAST(:kinds AS text[]), CAST(:bodies AS bytea[]), CAST(:times AS timestamptz[])
) AS receipt (id, webhook_id, type, body, received_at)
ORDER BY webhook_id, id
ON CONFLICT DO NOTHING
RETURNING id
""")


async def store(work: UnitOfWork, receipts: Sequence[Receipt]) -> None:
    """Keep the bytes and pass them on to our own consumers, in one commit; a redelivery changes nothing."""
    records = [receipt.record for receipt in receipts]
    told = {
        "ids": [record.id for record in records],
        "webhook_ids": [receipt.webhook_id for receipt in receipts],
        "kinds": [receipt.kind for receipt in receipts],
        "bodies": [record.payload for record in records],
        "times": [record.time for record in records],
    }
    kept = set((await work.session.scalars(KEEP, told)).all())
    work.outgoing += [record for record in records if record.id in kept]


async def purge(work: UnitOfWork) -> int:
    """One batch of those that nothing brings back any more."""
    old = select(ReceivedWebhook.id).where(ReceivedWebhook.received_at < work.now - KEPT).limit(PURGE_BATCH)
    gone = delete(ReceivedWebhook).where(ReceivedWebhook.id.in_(old))
    return len((await work.session.scalars(gone.returning(ReceivedWebhook.id))).all())
