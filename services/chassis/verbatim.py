"""Key and headers of a record as somebody else wrote them: any bytes, in their order, a name twice, a value that is null."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self, TypeAlias

import orjson

RawHeaders: TypeAlias = tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Verbatim:
    key: bytes | None
    headers: RawHeaders

    @property
    def size_bytes(self) -> int:
        return len(self.key or b"") + sum(len(name.encode()) + len(value or b"") for name, value in self.headers)

    def packed(self) -> str:
        """As text, for a column that takes no bytes."""
        return base64.b64encode(orjson.dumps([_encoded(self.key), pack(self.headers).decode()])).decode()

    @classmethod
    def unpacked(cls, packed: str) -> Self:
        key, headers = orjson.loads(base64.b64decode(packed))
        return cls(_decoded(key), unpack(headers))


def pack(headers: Iterable[tuple[str, bytes | None]]) -> bytes:
    """JSON of names and base64. For a column of bytes: a name may hold a NUL, which PostgreSQL's text and JSONB refuse."""
    return orjson.dumps([(name, _encoded(value)) for name, value in headers])


def unpack(packed: bytes | str) -> RawHeaders:
    return tuple((name, _decoded(value)) for name, value in orjson.loads(packed))


def _encoded(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def _decoded(value: str | None) -> bytes | None:
    return None if value is None else base64.b64decode(value)
