"""Who a user is, for whoever writes to them."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.notifications.recipients.tables import RecipientRow


@dataclass(frozen=True, slots=True)
class Recipient:
    """`locale` is a BCP 47 tag as the user's token had it; it may name a language that no mail is written in."""

    email: str
    name: str
    locale: str


async def recipient(session: AsyncSession, user_id: UUID) -> Recipient | None:
    """`None` until the user's profile has arrived: it travels on a topic of its own, and may come after the booking."""
    row = await session.get(RecipientRow, user_id)
    return Recipient(row.email, row.name, row.locale) if row else None
