"""Which quarantined orders are meant, and where the next page of them begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, true, tuple_

from services.chassis import cursors
from services.chassis.cursors import BY_START
from services.payments.quarantine.tables import QuarantinedOrder


class Filters(BaseModel):
    model_config = ConfigDict(extra="forbid")

    settled: bool = Field(default=False, description="Those of which all has gone back, too")
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before")

    @property
    def bound_to(self) -> dict[str, Any]:
        return cursors.binding(self, list="quarantine")

    def where(self) -> ColumnElement[bool]:
        wanted = true() if self.settled else QuarantinedOrder.settled_at.is_(None)
        return and_(wanted, self._after())

    def cut(self, found: Sequence[QuarantinedOrder]) -> tuple[Sequence[QuarantinedOrder], str | None]:
        return cursors.cut(found, self.limit, lambda row: (row.found_at.isoformat(), str(row.id)), self.bound_to)

    def _after(self) -> ColumnElement[bool]:
        if self.cursor is None:
            return true()
        position = cursors.decode(self.cursor, self.bound_to, BY_START)
        return tuple_(QuarantinedOrder.found_at, QuarantinedOrder.id) > tuple_(*position)
