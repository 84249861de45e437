"""Kafka in: what Resend reports of our mails."""

from __future__ import annotations

from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails.mutations import take_report
from services.notifications.emails.queries import find, is_forgotten
from services.notifications.webhooks.domain import REPORTS, ResendWebhook
from services.notifications.webhooks.mutations import forget


async def take_up(work: UnitOfWork, webhook: ResendWebhook) -> None:
    """What is of another type, or of a mail that is none of ours, is passed over: an account may have other senders.

    A webhook names its mail's reader: one that comes after the reader was erased keeps no more than the earlier ones do.
    """
    provider_id = webhook.provider_id
    email_id = await find(work.session, webhook.email_id, provider_id) if provider_id else None
    if provider_id is None or email_id is None:
        return
    if report := REPORTS.get(webhook.kind):
        await take_report(work, email_id, provider_id, report, webhook.reason, webhook.created_at or work.now)
    if await is_forgotten(work.session, email_id):
        await forget(work, [provider_id])
