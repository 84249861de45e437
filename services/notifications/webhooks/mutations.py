from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from courtside_contracts.topics import RESEND_WEBHOOKS
from services.chassis.outbox import Outgoing
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.webhooks.domain import ResendWebhook, parse
from services.notifications.webhooks.tables import ReceivedWebhook

KEPT = RESEND_WEBHOOKS.retention or timedelta(days=90)
PURGE_BATCH = 1_000


async def store(work: UnitOfWork, webhook_id: str, body: bytes) -> None:
    """Keep the bytes and pass them on to our own consumers, in one commit; a redelivery changes nothing."""
    webhook, record_id = parse(body), uuid7()
    kept = insert(ReceivedWebhook).values(
        id=record_id,
        webhook_id=webhook_id,
        type=webhook.kind if webhook else "",
        provider_id=webhook and webhook.provider_id,
        body=body,
        received_at=work.now,
    )
    if await work.session.scalar(kept.on_conflict_do_nothing().returning(ReceivedWebhook.id)):
        work.outgoing.append(
            Outgoing(
                id=record_id,
                topic=ResendWebhook.topic,
                key=(webhook and webhook.key) or webhook_id,
                type=ResendWebhook.type,
                source=ResendWebhook.source,
                payload=body,
                time=work.now,
            )
        )


async def purge(work: UnitOfWork) -> int:
    """One batch of those that are as old as Kafka's copies of them may become."""
    old = select(ReceivedWebhook.id).where(ReceivedWebhook.received_at < work.now - KEPT).limit(PURGE_BATCH)
    gone = delete(ReceivedWebhook).where(ReceivedWebhook.id.in_(old)).returning(ReceivedWebhook.id)
    return len((await work.session.scalars(gone)).all())


async def forget(work: UnitOfWork, provider_ids: Sequence[str]) -> None:
    """That something was said of these mails stays, not what: it names their recipient."""
    theirs = ReceivedWebhook.provider_id.in_(provider_ids)
    await work.session.execute(update(ReceivedWebhook).where(theirs).values(body=b""))
