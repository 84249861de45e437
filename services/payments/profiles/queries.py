from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.profiles.tables import Profile


async def email_of(session: AsyncSession, user_id: UUID) -> str | None:
    """`None` while the profile has not arrived, since topics overtake each other, and after the user was erased."""
    return await session.scalar(select(Profile.email).where(Profile.user_id == user_id))


async def is_erased(session: AsyncSession, user_id: UUID) -> bool:
    return (await session.scalar(select(Profile.erased_at).where(Profile.user_id == user_id))) is not None


async def workplaces(session: AsyncSession, user_id: UUID) -> frozenset[UUID]:
    """The venues whose staff this user is of, as far as we have heard."""
    return frozenset(await session.scalar(select(Profile.staff_of).where(Profile.user_id == user_id)) or ())
