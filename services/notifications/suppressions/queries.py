from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis import cursors
from services.chassis.instants import Instant
from services.chassis.staff import Rights
from services.notifications.suppressions.domain import normal
from services.notifications.suppressions.tables import SuppressionRow

BY_CREATION = TypeAdapter(tuple[Instant, UUID])


class SuppressionFilters(BaseModel):
    """Those in force, or with `lifted=true` those that are no longer."""

    model_config = ConfigDict(extra="forbid")

    address: str | None = Field(default=None, max_length=254, pattern=r"^[^\x00]*$", examples=["ana.ruiz@example.com"])
    lifted: bool = False
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before")


async def is_suppressed(session: AsyncSession, address: str) -> bool:
    here = (SuppressionRow.address == normal(address)) & SuppressionRow.lifted_at.is_(None)
    return (await session.scalar(select(SuppressionRow.id).where(here))) is not None


async def page(
    session: AsyncSession, rights: Rights, asked: SuppressionFilters
) -> tuple[Sequence[SuppressionRow], str | None]:
    """The newest first, and where the next page begins."""
    bound_to = cursors.binding(asked, list="suppressions", caller=str(rights.user_id))
    place = (SuppressionRow.created_at, SuppressionRow.id)
    found = select(SuppressionRow).where(
        rights.cover(SuppressionRow.venue_id),
        SuppressionRow.lifted_at.is_not(None) if asked.lifted else SuppressionRow.lifted_at.is_(None),
    )
    if asked.address is not None:
        found = found.where(SuppressionRow.address == normal(asked.address))
    if asked.cursor is not None:
        found = found.where(tuple_(*place) < tuple_(*cursors.decode(asked.cursor, bound_to, BY_CREATION)))
    newest_first = found.order_by(*(column.desc() for column in place)).limit(asked.limit + 1)
    rows = (await session.scalars(newest_first)).all()
    return cursors.cut(rows, asked.limit, lambda row: (row.created_at.isoformat(), str(row.id)), bound_to)
