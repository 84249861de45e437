"""Where a list goes on: the last row's sort key, opaque to clients and bound to the list that it was made for.

A cursor is no secret and grants nothing: the list's own conditions apply to every page. The binding keeps an honest client from
continuing one list with another's cursor, which would skip rows without a word.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter

from services.chassis import problems

VERSION = 1

T = TypeVar("T")


class CursorNotValid(problems.BadRequest):
    """The cursor is none of this list's: altered, of another API version, or made for other filters. Start without one."""


def encode(position: tuple[Any, ...], filters: Mapping[str, Any]) -> str:
    packed = orjson.dumps([VERSION, _binding(filters), *position])
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def decode(cursor: str, filters: Mapping[str, Any], shape: TypeAdapter[T]) -> T:
    """The position, as the tuple that `shape` describes."""
    try:
        version, binding, *position = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        decoded = shape.validate_python(position)
    except (ValueError, TypeError) as error:  # base64, JSON, no list, or not the shape
        raise CursorNotValid("This is no cursor of this API. Start again without a cursor.") from error
    if (version, binding) != (VERSION, _binding(filters)):
        raise CursorNotValid("This cursor belongs to another list. Start again without a cursor.")
    return decoded


def _binding(filters: Mapping[str, Any]) -> str:
    packed = orjson.dumps(filters, option=orjson.OPT_SORT_KEYS, default=str)
    return hashlib.sha256(packed).hexdigest()[:12]
