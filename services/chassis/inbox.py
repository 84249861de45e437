"""The inbox: an event that was handled once is never handled again by the same group, whatever Kafka delivers."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Column, DateTime, Table, Text, func, select
from sqlalchemy.dialects.postgresql import insert
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


async def claim(session: AsyncSession, group: str, event_ids: Sequence[str]) -> set[str]:
    """Mark events as handled within the caller's transaction, and return those that were not handled before.

    A copy that another transaction is handling right now is waited for, not run beside it. The ids are sorted, so two batches that
    share some of them cannot lock each other out.
    """
    rows = [{"consumer_group": group, "event_id": event_id} for event_id in sorted(set(event_ids))]
    statement = insert(inbox).on_conflict_do_nothing().returning(inbox.c.event_id)
    return set((await session.scalars(statement, rows)).all()) if rows else set()


async def has(session: AsyncSession, group: str, event_id: str) -> bool:
    """Was this event handled? For handlers that call a provider: they ask before the call and claim with its result."""
    known = select(inbox.c.event_id).where(inbox.c.consumer_group == group, inbox.c.event_id == event_id)
    return (await session.scalar(known)) is not None
