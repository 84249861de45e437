from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert

from services.booking.calendars.tables import calendar_feeds
from services.chassis.unit_of_work import UnitOfWork

SALT_BYTES = 32


async def renew(work: UnitOfWork, user_id: UUID, key: SecretStr) -> str:
    """A new token; the one before opens nothing any more. Its salt, which may be kept: `token_of` makes the token of it, with the key."""
    salt = secrets.token_urlsafe(SALT_BYTES)
    values = {"token_hash": hash_of(token_of(key, user_id, salt)), "created_at": work.now}
    row = insert(calendar_feeds).values(user_id=user_id, **values)
    await work.session.execute(row.on_conflict_do_update(index_elements=["user_id"], set_=values))
    return salt


def token_of(key: SecretStr, user_id: UUID, salt: str) -> str:
    """The same each time, and only for who has the service's key: so a repeated request gets its token, and the database has none."""
    mac = hmac.digest(key.get_secret_value().encode(), f"{user_id} {salt}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


async def close(work: UnitOfWork, user_id: UUID) -> None:
    """The feed is gone, for whoever has its address."""
    await work.session.execute(delete(calendar_feeds).where(calendar_feeds.c.user_id == user_id))


def hash_of(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
