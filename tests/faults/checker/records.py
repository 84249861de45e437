"""One record of a topic, read by hand: the CloudEvents attributes are its headers, the event its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, TypeAlias

Place: TypeAlias = tuple[str, int]
"""A topic without the installation's prefix, and a partition."""

ATTRIBUTES = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time")


@dataclass(frozen=True)
class Record:
    """`at` is the record's time on Kafka: the producer's, or the broker's on retry topics."""

    topic: str
    partition: int
    offset: int
    at: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()

    @property
    def place(self) -> Place:
        return self.topic, self.partition

    @cached_property
    def named(self) -> dict[str, str]:
        """The first header of each name, as text; bytes that are no text are replaced."""
        found: dict[str, str] = {}
        for name, value in self.headers:
            found.setdefault(name, (value or b"").decode(errors="replace"))
        return found

    @property
    def id(self) -> str:
        return self.named.get("ce_id", "")

    @property
    def type(self) -> str:
        return self.named.get("ce_type", "")

    @property
    def time(self) -> datetime:
        """When the fact was recorded."""
        return datetime.fromisoformat(self.named["ce_time"])

    @property
    def key_text(self) -> str:
        return (self.key or b"").decode(errors="replace")

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """Empty when the value is no JSON object."""
        try:
            found = json.loads(self.value or b"")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def version(self) -> int | None:
        found = self.body.get("version")
        return found if isinstance(found, int) else None

    def instant(self, field: str) -> datetime | None:
        told = self.body.get(field)
        return datetime.fromisoformat(told) if told else None

    @property
    def is_well_formed(self) -> bool:
        """Whether the headers are those of one CloudEvent: each attribute there once, not empty, and readable."""
        names = [name for name, _ in self.headers if name.startswith("ce_") or name == "traceparent"]
        if len(names) != len(set(names)) or not set(ATTRIBUTES) <= set(names):
            return False
        return all(_is_text(value) for name, value in self.headers if name in names) and self._has_time

    @property
    def _has_time(self) -> bool:
        try:
            datetime.fromisoformat(self.named["ce_time"])
        except ValueError:
            return False
        return self.named["ce_specversion"] == "1.0"

    @property
    def attempt(self) -> int:
        """Of a retry topic or of the dead letters: how often it had failed by then."""
        told = self.named.get("x-attempt", "0")
        return int(told) if told.isdigit() else 0


def _is_text(value: bytes | None) -> bool:
    try:
        return bool(value and value.decode())
    except UnicodeDecodeError:
        return False
