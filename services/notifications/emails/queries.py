from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis import cursors
from services.chassis.staff import Rights
from services.notifications.emails.domain import INVITING, State
from services.notifications.emails.listing import PLACE, EmailFilters
from services.notifications.emails.tables import Email

NEVER_OUT = (State.SUPERSEDED, State.EXPIRED, State.DROPPED, State.SUPPRESSED)


async def was_invited(session: AsyncSession, booking_id: UUID) -> bool:
    """Was an invitation written that went out, or may have?"""
    invitation = exists().where(Email.booking_id == booking_id, Email.kind.in_(INVITING), Email.state.not_in(NEVER_OUT))
    return bool(await session.scalar(select(invitation)))


async def find(session: AsyncSession, email_id: UUID | None, provider_id: str) -> UUID | None:
    """Our id of the mail that the provider means; `None` when it is none of ours."""
    ours = (Email.id == email_id) | (Email.provider_id == provider_id)
    return await session.scalar(select(Email.id).where(ours).order_by(Email.provider_id == provider_id).limit(1))


async def is_forgotten(session: AsyncSession, email_id: UUID) -> bool:
    """Was its reader erased? Asked of the row that is held, or of one that nobody changes any more."""
    email = await session.get_one(Email, email_id)
    return not email.payload


async def provider_ids(session: AsyncSession, user_id: UUID) -> Sequence[str]:
    """Of all mails that went out to this user."""
    known = select(Email.provider_id).where(Email.user_id == user_id, Email.provider_id.is_not(None))
    return [one for one in await session.scalars(known) if one]


async def visible(session: AsyncSession, rights: Rights, email_id: UUID) -> Email | None:
    return await session.scalar(select(Email).where(Email.id == email_id, rights.cover(Email.venue_id)))


async def page(session: AsyncSession, rights: Rights, asked: EmailFilters) -> tuple[Sequence[Email], str | None]:
    """The newest first, and where the next page begins."""
    newest_first = select(Email).where(asked.where(rights)).order_by(*(column.desc() for column in PLACE))
    rows = (await session.scalars(newest_first.limit(asked.limit + 1))).all()
    return cursors.cut(rows, asked.limit, _place, asked.bound_to(rights))


def _place(email: Email) -> tuple[str, str]:
    return email.created_at.isoformat(), str(email.id)
