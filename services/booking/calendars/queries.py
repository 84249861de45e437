from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.calendars.mutations import hash_of
from services.booking.calendars.tables import calendar_feeds
from services.chassis import problems


class CalendarNotFound(problems.NotFound):
    """No calendar has this address, or no longer: its owner has made a new one."""


async def feed_since(session: AsyncSession, user_id: UUID) -> datetime | None:
    return await session.scalar(select(calendar_feeds.c.created_at).where(calendar_feeds.c.user_id == user_id))


async def owner(session: AsyncSession, token: str) -> UUID:
    found = select(calendar_feeds.c.user_id).where(calendar_feeds.c.token_hash == hash_of(token))
    user_id: UUID | None = await session.scalar(found)
    if user_id is None:
        raise CalendarNotFound("There is no such calendar.")
    return user_id
