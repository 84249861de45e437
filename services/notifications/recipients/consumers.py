"""Kafka in: a user was erased."""

from __future__ import annotations

from uuid import UUID

from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails import mutations as emails
from services.notifications.emails.queries import provider_ids
from services.notifications.recipients import mutations
from services.notifications.suppressions import mutations as suppressions
from services.notifications.webhooks import mutations as webhooks


async def forget(work: UnitOfWork, user_id: str) -> None:
    """The recipient first: whoever is writing a mail to them ends before, so that no mail is left out."""
    await mutations.forget(work, UUID(user_id))
    await emails.forget(work, UUID(user_id))
    await suppressions.forget(work, UUID(user_id))
    await webhooks.forget(work, await provider_ids(work.session, UUID(user_id)))
