from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.blocked_slots.domain import BlockedSlot, BlockedSlotNotFound, Scope, Span
from services.booking.blocked_slots.listing import STARTS_AT, Listing
from services.booking.blocked_slots.tables import blocked_slots

columns = blocked_slots.c


async def page(session: AsyncSession, listing: Listing) -> tuple[Sequence[BlockedSlot], str | None]:
    """By start, and the cursor of the next page if there is one."""
    by_start = select(blocked_slots).where(listing.where()).order_by(STARTS_AT, columns.id)
    return listing.cut(await _read(session, by_start.limit(listing.filters.limit + 1)))


async def one(session: AsyncSession, block_id: UUID) -> BlockedSlot:
    found = await _read(session, select(blocked_slots).where(columns.id == block_id))
    if not found:
        raise BlockedSlotNotFound("There is no such block.", blocked_slot_id=str(block_id))
    return found[0]


async def of_series(session: AsyncSession, series_id: UUID) -> list[BlockedSlot]:
    return await _read(session, select(blocked_slots).where(columns.series_id == series_id).order_by(columns.id))


def in_scope(block: BlockedSlot, scope: Scope) -> ColumnElement[bool]:
    """The block alone, or those of its series that start no earlier, or its whole series: on all courts of it."""
    if scope == "one":
        return columns.id == block.id
    series = columns.series_id == block.series_id
    return series if scope == "all" else series & (block.span.starts_at <= STARTS_AT)


def block_of(row: Row[Any]) -> BlockedSlot:
    span = Span(row.court_id, row.during.lower, row.during.upper)
    return BlockedSlot(row.id, row.series_id, row.venue_id, span, row.reason, row.created_by, row.created_at)


async def _read(session: AsyncSession, statement: Select[Any]) -> list[BlockedSlot]:
    return [block_of(row) for row in await session.execute(statement)]
