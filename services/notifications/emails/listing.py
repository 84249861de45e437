"""A list of mails: what it may be asked for, and where its next page begins."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import ColumnElement, and_, tuple_

from services.chassis import cursors
from services.chassis.instants import Instant
from services.chassis.staff import Rights
from services.notifications.emails.domain import Kind, State
from services.notifications.emails.tables import Email

BY_CREATION = TypeAdapter(tuple[Instant, UUID])
"""The sort key: `(created_at, id)`, the newest first."""
PLACE = (Email.created_at, Email.id)


class EmailFilters(BaseModel):
    """Those given must all be met. `state=unknown` are those that an operator must decide about."""

    model_config = ConfigDict(extra="forbid")

    booking_id: UUID | None = None
    user_id: UUID | None = None
    kind: list[Kind] = Field(default=[], description="One of these", examples=[["booking-confirmed"]])
    state: list[State] = Field(default=[], description="One of these", examples=[["unknown", "bounced"]])
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before")

    def bound_to(self, rights: Rights) -> dict[str, Any]:
        return cursors.binding(self, list="emails", caller=str(rights.user_id))

    def where(self, rights: Rights) -> ColumnElement[bool]:
        return and_(rights.cover(Email.venue_id), *self._conditions(rights))

    def _conditions(self, rights: Rights) -> Iterator[ColumnElement[bool]]:
        for column, value in ((Email.booking_id, self.booking_id), (Email.user_id, self.user_id)):
            if value:
                yield column == value
        if self.kind:
            yield Email.kind.in_(self.kind)
        if self.state:
            yield Email.state.in_(self.state)
        if self.cursor is not None:
            yield tuple_(*PLACE) < tuple_(*cursors.decode(self.cursor, self.bound_to(rights), BY_CREATION))
