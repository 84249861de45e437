"""Which dead letters are meant, and where the next page of them begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter
from sqlalchemy import ColumnElement, and_, true, tuple_

from services.chassis import cursors
from services.chassis.dead_letters.domain import State
from services.chassis.dead_letters.tables import dead_letters

Instant = Annotated[
    AwareDatetime,
    Field(ge=dt.datetime(1970, 1, 1, tzinfo=dt.UTC), lt=dt.datetime(3000, 1, 1, tzinfo=dt.UTC)),
]
Position = TypeAdapter(tuple[AwareDatetime, UUID])
"""The sort key: `(died_at, id)`, the newest first."""

Name = Annotated[str, Field(max_length=500, pattern=r"^[^\x00]*$")]

columns = dead_letters.c


class Selection(BaseModel):
    """Those given must all be met."""

    model_config = ConfigDict(extra="forbid")

    error_class: Name | None = Field(default=None, examples=["Fatal"])
    type: Name | None = Field(default=None, description="The event's type", examples=["booking.held.v1"])
    topic: Name | None = Field(
        default=None, description="Where it was read first, without the prefix of the installation"
    )
    key: Name | None = Field(default=None, description="The record's key, as text")
    since: Instant | None = Field(
        default=None, description="Died then or later", examples=["2026-11-28T00:00:00+01:00"]
    )

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        for column, value in (
            (columns.error_class, self.error_class),
            (columns.type, self.type),
            (columns.origin_topic, self.topic),
            (columns.key, None if self.key is None else self.key.encode()),
        ):
            if value is not None:
                yield column == value
        if self.since:
            yield columns.died_at >= self.since


class GroupFilters(Selection):
    model_config = ConfigDict(extra="forbid")

    state: list[State] = Field(default=["open"], description="One of these")

    def where(self) -> ColumnElement[bool]:
        return and_(true(), columns.state.in_(self.state), *self.conditions())


class Filters(GroupFilters):
    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before")

    @property
    def bound_to(self) -> dict[str, Any]:
        return {**self.model_dump(mode="json", exclude={"cursor", "limit"}), "list": "dead letters"}

    def after(self) -> ColumnElement[bool]:
        if self.cursor is None:
            return true()
        return tuple_(columns.died_at, columns.id) < tuple_(*cursors.decode(self.cursor, self.bound_to, Position))

    def cut(self, found: list[Any]) -> tuple[list[Any], str | None]:
        """One row more than the limit was asked for: it shows whether there is a next page."""
        page = found[: self.limit]
        if len(found) == len(page):
            return page, None
        return page, cursors.encode((page[-1].died_at.isoformat(), str(page[-1].id)), self.bound_to)

    def link(self, path: str, next_cursor: str) -> str:
        asked = self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
        return f'<{path}?{urlencode(asked | {"cursor": next_cursor}, doseq=True)}>; rel="next"'
