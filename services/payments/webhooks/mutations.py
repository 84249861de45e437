from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from services.chassis.outbox import Outgoing
from services.chassis.unit_of_work import UnitOfWork
from services.payments.webhooks.domain import PolarWebhook, parse
from services.payments.webhooks.tables import ReceivedWebhook

KEPT = timedelta(days=120)
"""Longer than Polar keeps an event that may be sent again, and than our topic and dead letters keep its record (90 days)."""
PURGE_BATCH = 1_000


async def store(work: UnitOfWork, webhook_id: str, body: bytes) -> None:
    """Keep the bytes and pass them on to our own consumers, in one commit; a redelivery changes nothing."""
    webhook, record_id = parse(body), uuid7()
    kept = insert(ReceivedWebhook).values(
        id=record_id,
        webhook_id=webhook_id,
        type=printable(webhook.kind) if webhook else "",
        body=body,
        received_at=work.now,
    )
    if await work.session.scalar(kept.on_conflict_do_nothing().returning(ReceivedWebhook.id)):
        work.outgoing.append(
            Outgoing(
                id=record_id,
                topic=PolarWebhook.topic,
                key=(webhook and printable(webhook.key)) or webhook_id,
                type=PolarWebhook.type,
                source=PolarWebhook.source,
                payload=body,
                time=work.now,
            )
        )


def printable(told: str) -> str:
    """PostgreSQL keeps no NUL in a text, and JSON may hold one. The bytes that were signed are kept as they are."""
    return told.replace("\x00", "\ufffd")


async def purge(work: UnitOfWork) -> int:
    """One batch of those that nothing brings back any more."""
    old = select(ReceivedWebhook.id).where(ReceivedWebhook.received_at < work.now - KEPT).limit(PURGE_BATCH)
    gone = delete(ReceivedWebhook).where(ReceivedWebhook.id.in_(old))
    return len((await work.session.scalars(gone.returning(ReceivedWebhook.id))).all())
