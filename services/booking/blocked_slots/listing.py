"""A list of blocks: what it may be asked for, and where its next page begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, and_, func, tuple_
from sqlalchemy.dialects.postgresql import Range

from services.booking.blocked_slots.domain import BlockedSlot, EndsBeforeItStarts
from services.booking.blocked_slots.tables import blocked_slots
from services.chassis import cursors
from services.chassis.instants import Instant

STARTS_AT = func.lower(blocked_slots.c.during)


class BlockFilters(BaseModel):
    """Those given must all be met."""

    court_id: UUID | None = None
    from_: Instant | None = Field(default=None, alias="from", description="Blocks that end after this")
    until: Instant | None = Field(default=None, description="Blocks that start before this")
    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before")


@dataclass(frozen=True)
class Listing:
    """The blocks of a venue that the filters come to, and the page of them that is wanted."""

    venue_id: UUID
    filters: BlockFilters
    bound_to: dict[str, Any]

    @classmethod
    def of(cls, venue_id: UUID, filters: BlockFilters) -> Listing:
        """Raises `EndsBeforeItStarts`."""
        if filters.from_ and filters.until and filters.until <= filters.from_:
            raise EndsBeforeItStarts("`until` must be later than `from`.")
        return cls(venue_id, filters, cursors.binding(filters, list="blocked slots", venue_id=str(venue_id)))

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        asked, columns = self.filters, blocked_slots.c
        yield columns.venue_id == self.venue_id
        yield columns.during.op("&&")(Range(asked.from_, asked.until))
        if asked.court_id:
            yield columns.court_id == asked.court_id
        if asked.cursor is not None:
            after = cursors.decode(asked.cursor, self.bound_to, cursors.BY_START)
            yield tuple_(STARTS_AT, columns.id) > tuple_(*after)

    def where(self) -> ColumnElement[bool]:
        return and_(*self.conditions())

    def cut(self, found: Sequence[BlockedSlot]) -> tuple[Sequence[BlockedSlot], str | None]:
        return cursors.cut(found, self.filters.limit, _position, self.bound_to)


def _position(block: BlockedSlot) -> tuple[str, str]:
    return block.span.starts_at.isoformat(), str(block.id)
