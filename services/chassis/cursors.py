"""Where a list goes on: the last row's sort key, opaque to clients and bound to the list that it was made for.

A cursor is no secret and grants nothing: the list's own conditions apply to every page. The binding keeps an honest client from
continuing one list with another's cursor, which would skip rows without a word.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode
from uuid import UUID

import orjson
from pydantic import BaseModel, TypeAdapter

from services.chassis import problems
from services.chassis.instants import Instant
from services.chassis.problems import Responses

VERSION = 1

BY_START = TypeAdapter(tuple[Instant, UUID])
"""The sort key `(starts_at, id)`."""
LINKED: Responses = {
    200: {
        "headers": {"Link": {"description": '`rel="next"`, unless this is the last page', "schema": {"type": "string"}}}
    }
}
"""Of a route that answers with a page."""

T = TypeVar("T")
R = TypeVar("R")


class CursorNotValid(problems.BadRequest):
    """The cursor is none of this list's: altered, of another API version, or made for other filters. Start without one."""


def encode(position: tuple[Any, ...], filters: Mapping[str, Any]) -> str:
    packed = orjson.dumps([VERSION, _digest(filters), *position])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(cursor: str, filters: Mapping[str, Any], shape: TypeAdapter[T]) -> T:
    """The position, as the tuple that `shape` describes."""
    try:
        version, binding, *position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        decoded = shape.validate_python(position)
    except (ValueError, TypeError) as error:  # base64, JSON, no list, or not the shape
        raise CursorNotValid("This is no cursor of this API. Start again without a cursor.") from error
    if (version, binding) != (VERSION, _digest(filters)):
        raise CursorNotValid("This cursor belongs to another list. Start again without a cursor.")
    return decoded


def cut(
    found: Sequence[R], limit: int, position: Callable[[R], tuple[Any, ...]], filters: Mapping[str, Any]
) -> tuple[Sequence[R], str | None]:
    """The page, and the cursor of the next. One row more than the limit was asked for: it shows whether there is one."""
    page = found[:limit]
    return page, encode(position(page[-1]), filters) if len(found) > limit else None


def binding(asked: BaseModel, **more: str) -> dict[str, Any]:
    """What a cursor is bound to: all that selects rows, and `more` that the caller did not write."""
    return {**asked.model_dump(mode="json", by_alias=True, exclude={"cursor", "limit"}), **more}


def link(path: str, asked: BaseModel, next_cursor: str) -> str:
    """The `Link` header (RFC 8288) to the next page of what was asked for."""
    query = asked.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return f'<{path}?{urlencode(query | {"cursor": next_cursor}, doseq=True)}>; rel="next"'


def _digest(filters: Mapping[str, Any]) -> str:
    packed = orjson.dumps(filters, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(packed).hexdigest()[:12]
