"""`Idempotency-Key`: the answer is a row of the same commit as the effect, so a repeated request gets it, and does nothing.

Stripe's meaning: same key and same request, the same answer; same key and another request, 422. A copy that arrives while the first
is under way waits for it on the row's unique key. Only successes are kept: a refused request may be sent again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import Header, Response
from pydantic import BaseModel
from sqlalchemy import (
    Column,
    DateTime,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    delete,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.chassis import problems
from services.chassis.database import NAMING, Database
from services.chassis.unit_of_work import UnitOfWork

KEPT = timedelta(hours=24)
PURGE_BATCH = 1_000

METADATA = MetaData(naming_convention=NAMING)

idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Index("idempotency_keys_by_created_at", "created_at"),
)


Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Send the same key to repeat a request safely: the first answer comes again for 24 hours.",
    ),
]
"""How a route asks for it."""


class IdempotencyKeyReused(problems.Invalid):
    """The `Idempotency-Key` came with another request before: use a new key for a new request."""


@dataclass(frozen=True)
class IdempotencyKey:
    """One user's key, and a hash of what it was sent with."""

    user_id: UUID
    key: str
    request_hash: bytes

    @classmethod
    def of(cls, user_id: UUID, key: str | None, operation: str, body: BaseModel) -> IdempotencyKey | None:
        if key is None:
            return None
        request = f"{operation}\n{body.model_dump_json()}".encode()
        # A structured-field string comes in quotes; clients that send it bare mean the same key.
        return cls(user_id, key.strip('"'), hashlib.sha256(request).digest())


@dataclass(frozen=True)
class Answer:
    """What a change answers: JSON bytes, and headers such as `Location` and `ETag`."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        return Response(self.body, self.status, self.headers, media_type="application/json")


class Replay(Answer):
    """The first answer again."""

    def response(self) -> Response:
        headers = self.headers | {"Idempotency-Replayed": "true"}
        return Response(self.body, self.status, headers, media_type="application/json")


async def once(
    work: UnitOfWork, key: IdempotencyKey | None, answer: Callable[[], Awaitable[Answer]]
) -> Answer | Replay:
    """Run a change under its key, within the caller's transaction. A copy that is under way is waited for, and its answer comes again."""
    if key is None:
        return await answer()
    columns = idempotency_keys.c
    claim = {"user_id": key.user_id, "key": key.key, "request_hash": key.request_hash, "created_at": work.now}
    claimed = (
        insert(idempotency_keys).values(claim | {"status": 0, "headers": {}, "body": b""}).on_conflict_do_nothing()
    )
    if await work.session.scalar(claimed.returning(columns.user_id)) is None:
        # There is one: our insert waited for it to be committed.
        return await _stored(await work.session.connection(), key) or await answer()
    made = await answer()
    mine = (columns.user_id == key.user_id) & (columns.key == key.key)
    await work.session.execute(
        update(idempotency_keys).where(mine).values(status=made.status, headers=made.headers, body=made.body)
    )
    return made


async def replay(database: Database, key: IdempotencyKey | None) -> Replay | None:
    """The first answer with this key, if there is one. Raises `IdempotencyKeyReused` when it was the answer to another request."""
    if key is None:
        return None
    async with database.engine.connect() as connection:
        return await _stored(connection, key)


async def purge(work: UnitOfWork) -> int:
    """One batch of answers that are older than was promised."""
    columns = idempotency_keys.c
    old = select(columns.user_id, columns.key).where(columns.created_at < work.now - KEPT).limit(PURGE_BATCH)
    gone = delete(idempotency_keys).where(tuple_(columns.user_id, columns.key).in_(old))
    return len((await work.session.execute(gone.returning(columns.key))).all())


async def _stored(connection: AsyncConnection, key: IdempotencyKey) -> Replay | None:
    columns = idempotency_keys.c
    mine = (columns.user_id == key.user_id) & (columns.key == key.key)
    found = select(columns.request_hash, columns.status, columns.body, columns.headers).where(mine)
    row = (await connection.execute(found)).one_or_none()
    if row is None:
        return None
    if row.request_hash != key.request_hash:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came with another request before. Use a new key for a new request."
        )
    return Replay(row.status, row.body, row.headers)
