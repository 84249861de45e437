"""`Idempotency-Key`: the answer is a row of the same commit as the effect, so a repeated request gets it, and does nothing.

Stripe's meaning: same key and same request, the same answer; same key and another request, 422. A copy that arrives while the first
is under way waits for it on the row's unique key. Only successes are kept: a refused request may be sent again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, LargeBinary, MetaData, SmallInteger, Table, Text, Uuid, select

from services.chassis import problems
from services.chassis.database import NAMING, Database

KEPT = timedelta(hours=24)

METADATA = MetaData(naming_convention=NAMING)

idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    Column("user_id", Uuid, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", LargeBinary, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


class IdempotencyKeyReused(problems.Invalid):
    pass


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
class Replay:
    status: int
    body: bytes

    def response(self) -> Response:
        return Response(self.body, self.status, {"Idempotency-Replayed": "true"}, media_type="application/json")


async def replay(database: Database, key: IdempotencyKey) -> Replay:
    """The first answer with this key. Raises `IdempotencyKeyReused` when it was the answer to another request."""
    columns = idempotency_keys.c
    async with database.engine.connect() as connection:
        row = (
            await connection.execute(
                select(columns.request_hash, columns.status, columns.body).where(
                    columns.user_id == key.user_id, columns.key == key.key
                )
            )
        ).one()
    if row.request_hash != key.request_hash:
        raise IdempotencyKeyReused(
            "This Idempotency-Key came with another request before. Use a new key for a new request."
        )
    return Replay(row.status, row.body)
