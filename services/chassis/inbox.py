"""The inbox: an event that was handled once is never handled again by the same group, whatever Kafka delivers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, DateTime, Table, Text, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis.database import CHASSIS

inbox = Table(
    "inbox",
    CHASSIS,
    Column("consumer_group", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("handled_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""Keyed by the event's id, never by topic and offset: a producer's duplicate or a redrive has another offset."""

# One array, not a row of values for each id: the same statement for a batch of any size, and half the cost of a large one.
CLAIM = text("""
INSERT INTO inbox (consumer_group, event_id)
SELECT :consumer_group, event_id FROM unnest(CAST(:event_ids AS text[])) AS event_id ORDER BY event_id
ON CONFLICT DO NOTHING
RETURNING event_id
""")


async def claim(session: AsyncSession, group: str, event_ids: Sequence[str]) -> set[str]:
    """Mark events as handled within the caller's transaction, and return those that were not handled before.

    A copy that another transaction is handling right now is waited for, not run beside it. They are claimed in one order, so two batches
    that share some of them cannot lock each other out.
    """
    if not event_ids:
        return set()
    return set((await session.scalars(CLAIM, {"consumer_group": group, "event_ids": list(event_ids)})).all())


async def has(session: AsyncSession, group: str, event_id: str) -> bool:
    """Was this event handled? For handlers that call a provider: they ask before the call and claim with its result."""
    known = select(inbox.c.event_id).where(inbox.c.consumer_group == group, inbox.c.event_id == event_id)
    return (await session.scalar(known)) is not None
