from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.users.domain import User, UserNotFound
from services.booking.users.tables import users, venue_staff

COLUMNS = (users.c.id, users.c.email, users.c.name, users.c.locale, users.c.version, users.c.created_at)
"""In the order of `User`."""
LIVING = users.c.erased_at.is_(None)


def to_user(row: Row[*tuple[Any, ...]]) -> User:
    return User(*row)


async def user(session: AsyncSession, user_id: UUID) -> User | None:
    row = (await session.execute(select(*COLUMNS).where(users.c.id == user_id, LIVING))).one_or_none()
    return to_user(row) if row else None


async def by_email(session: AsyncSession, email: str) -> User | None:
    """However its letters are written."""
    found = select(*COLUMNS).where(func.lower(users.c.email) == func.lower(email))
    row = (await session.execute(found)).one_or_none()
    return to_user(row) if row else None


async def must_live(session: AsyncSession, user_id: UUID) -> None:
    """And stays so until the transaction ends: an erasure waits for it."""
    found = select(users.c.id).where(users.c.id == user_id, LIVING).with_for_update(read=True, key_share=True)
    if await session.scalar(found) is None:
        raise UserNotFound(
            "The club knows no such user. They are known once they have signed in.", user_id=str(user_id)
        )


async def staff_of(session: AsyncSession, venue_id: UUID) -> Sequence[tuple[User, datetime]]:
    """With the instant since when, the longest first."""
    found = select(*COLUMNS, venue_staff.c.since).join(venue_staff, venue_staff.c.user_id == users.c.id)
    ordered = found.where(venue_staff.c.venue_id == venue_id).order_by(venue_staff.c.since, users.c.id)
    return [(User(*row[:-1]), row.since) for row in await session.execute(ordered)]


async def workplaces(session: AsyncSession, user_id: UUID) -> Sequence[UUID]:
    """The venues whose staff this user is of."""
    found = select(venue_staff.c.venue_id).where(venue_staff.c.user_id == user_id).order_by(venue_staff.c.venue_id)
    return (await session.scalars(found)).all()
