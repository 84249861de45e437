"""Who a user is, for whoever writes to them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.recipients.tables import RecipientRow


class RecipientErased(Exception):
    """There is nobody to write to any more."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """`locale` is a BCP 47 tag as the user's token had it; it may name a language that no mail is written in."""

    email: str
    name: str
    locale: str


async def recipient(session: AsyncSession, user_id: UUID) -> Recipient | None:
    """`None` until the user's profile has arrived: it travels on a topic of its own, and may come after the booking.

    The row is held until the mail is stored, so that an erasure finds it. Raises `RecipientErased`.
    """
    row = await session.get(RecipientRow, user_id, with_for_update={"read": True})
    if row is None:
        return None
    if row.email is None or row.name is None or row.locale is None:
        raise RecipientErased(f"user {user_id} was erased")
    return Recipient(row.email, row.name, row.locale)


async def workplaces(session: AsyncSession, user_id: UUID) -> frozenset[UUID]:
    """Where this user is staff, as their profile told last; nowhere once they are erased."""
    row = await session.get(RecipientRow, user_id)
    return frozenset(row.staff_of if row else ())
