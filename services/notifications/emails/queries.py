from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.emails.tables import Email


async def stored(session: AsyncSession, kind: str, booking_id: UUID, version: int) -> Email | None:
    """The mail of this kind about this version of the booking, when it was rendered before."""
    same = (Email.kind == kind, Email.booking_id == booking_id, Email.version == version)
    return (await session.scalars(select(Email).where(*same))).one_or_none()
