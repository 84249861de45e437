"""Lists as Polar gives them: filtered, newest first, `{"items": [...], "pagination": {"total_count", "max_page"}}`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Request

from deploy.standins.polar.state import Document, Standin


@dataclass
class Page:
    page: Annotated[int, Query(ge=1)] = 1
    limit: Annotated[int, Query(ge=1, le=100)] = 10
    sorting: Annotated[list[Literal["created_at", "-created_at"]], Query()] = field(
        default_factory=lambda: ["-created_at"]
    )


Paging = Annotated[Page, Depends()]
Ids = Annotated[list[UUID] | None, Query()]


@dataclass
class Filter:
    """A WHERE clause in the making. The SQL of each condition is ours; what the caller sent is always a parameter."""

    conditions: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def where(self, condition: str, *parameters: Any) -> None:
        self.conditions.append(condition)
        self.parameters.extend(parameters)

    def any_of(self, field_name: str, values: Sequence[object] | None) -> None:
        """The document's field is one of the values; no values, no filter."""
        if values:
            marks = ", ".join("?" for _ in values)
            self.where(f"json_extract(doc, '$.{field_name}') IN ({marks})", *map(str, values))

    def metadata(self, request: Request) -> None:
        """`?metadata[booking_id]=b1`: compared as text, as Polar does."""
        for key, value in metadata_asked(request).items():
            self.where(
                "EXISTS (SELECT 1 FROM json_each(doc, '$.metadata') AS m WHERE m.key = ? AND "
                "CASE m.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(m.value AS TEXT) END = ?)",
                key,
                value,
            )

    def __str__(self) -> str:
        return " AND ".join(self.conditions) or "TRUE"


def metadata_asked(request: Request) -> dict[str, str]:
    return {
        name[len("metadata[") : -1]: value
        for name, value in request.query_params.multi_items()
        if name.startswith("metadata[") and name.endswith("]")
    }


def listed(standin: Standin, table: str, chosen: Filter, paging: Page) -> Document:
    total = standin.database.value(f"SELECT COUNT(*) FROM {table} WHERE {chosen}", chosen.parameters)  # noqa: S608 - see Filter
    direction = "ASC" if paging.sorting[:1] == ["created_at"] else "DESC"
    rows = standin.database.rows(
        f"SELECT doc FROM {table} WHERE {chosen} ORDER BY seq {direction} LIMIT ? OFFSET ?",  # noqa: S608 - see Filter
        [*chosen.parameters, paging.limit, (paging.page - 1) * paging.limit],
    )
    return page_of([json.loads(row["doc"]) for row in rows], total, paging)


def page_of(items: list[Document], total: int, paging: Page) -> Document:
    return {"items": items, "pagination": {"total_count": total, "max_page": -(-total // paging.limit)}}
