"""Kafka in: what Resend reports of our mails."""

from __future__ import annotations

from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails.mutations import take_report
from services.notifications.emails.queries import find
from services.notifications.webhooks.domain import REPORTS, ResendWebhook


async def take_up(work: UnitOfWork, webhook: ResendWebhook) -> None:
    """What is of another type, or of a mail that is none of ours, is passed over: an account may have other senders."""
    report, provider_id = REPORTS.get(webhook.kind), webhook.provider_id
    if report is None or provider_id is None:
        return
    email_id = await find(work.session, webhook.email_id, provider_id)
    if email_id is not None:
        at = webhook.created_at or work.now
        await take_report(work, email_id, provider_id, report, webhook.reason, at)
