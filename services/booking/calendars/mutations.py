from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from services.booking.calendars.tables import calendar_feeds
from services.chassis.unit_of_work import UnitOfWork

TOKEN_BYTES = 32


async def renew(work: UnitOfWork, user_id: UUID) -> str:
    """A new secret token; the one before opens nothing any more."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    values = {"token_hash": hash_of(token), "created_at": work.now}
    row = insert(calendar_feeds).values(user_id=user_id, **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=["user_id"], set_=values))
    return token


async def close(work: UnitOfWork, user_id: UUID) -> None:
    """The feed is gone, for whoever has its address."""
    await work.session.execute(delete(calendar_feeds).where(calendar_feeds.c.user_id == user_id))


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
