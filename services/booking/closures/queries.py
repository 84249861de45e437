from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.closures.domain import Closure, ClosureNotFound
from services.booking.closures.tables import closures


async def one(session: AsyncSession, closure_id: UUID) -> Closure:
    closure = await session.get(Closure, closure_id)
    if closure is None:
        raise ClosureNotFound("There is no such closure.", closure_id=str(closure_id))
    return closure


async def unfinished(session: AsyncSession, closure_id: UUID | None) -> Closure | None:
    """The one with this id, or the oldest, locked; None when it is done, or another process is at it."""
    wanted = [closures.c.id == closure_id] if closure_id else []
    found = select(Closure).where(closures.c.state == "cancelling", *wanted).order_by(closures.c.id).limit(1)
    return await session.scalar(found.with_for_update(skip_locked=True))
