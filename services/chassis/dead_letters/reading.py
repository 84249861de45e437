"""From a record of the dead-letter topic to a row. Total: what made no row would stop the mirror for ever."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.chassis.dead_letters.domain import as_text
from services.chassis.retrying import (
    ERROR_MAX_CHARS,
    KEY_WAS_NULL,
    OMITTED,
    REDRIVEN_FROM,
    attempt_of,
    first_headers,
)
from services.chassis.subscribing import Record
from services.chassis.verbatim import Verbatim, pack

NAME_MAX_CHARS = 500
"""Of what is indexed: an index takes 2,704 bytes. A longer name counts as none; the headers hold it all the same."""
INTEGER_DIGITS_MAX = 18


def read(record: Record, prefix: str, now: datetime) -> dict[str, Any]:
    """`prefix` is the installation's, which the names of its topics go without here. `predecessor_id` is only what a header claims."""
    told = first_headers(record.headers)
    origin = _name(told, "x-original-topic")
    return {
        "id": uuid7(),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "died_at": _from_milliseconds(record.timestamp) or now,
        "mirrored_at": now,
        "key": _key(record, told),
        "value": record.value,
        "missing": "omitted" if record.value is None and any(name in told for name in OMITTED) else None,
        "headers": pack(record.headers),
        "size_bytes": Verbatim(record.key, tuple(record.headers)).size_bytes + len(record.value or b""),
        "event_id": _name(told, "ce_id"),
        "type": _name(told, "ce_type"),
        "error_class": _name(told, "x-error-class") or "",
        "error_message": told.get("x-error-message", b"").decode(errors="replace").replace("\0", "")[:ERROR_MAX_CHARS],
        "origin_topic": origin and origin.removeprefix(prefix),
        "origin_partition": _small(told, "x-original-partition"),
        "origin_offset": _integer(told, "x-original-offset"),
        "first_failure_at": _instant(_name(told, "x-first-failure-at")),
        "attempts": attempt_of(record),
        "predecessor_id": _uuid(_name(told, REDRIVEN_FROM)),
        "state": "open",
    }


def _key(record: Record, told: Mapping[str, bytes]) -> bytes | None:
    stands_for_null = not record.key and record.value is None and KEY_WAS_NULL in told
    return None if stands_for_null else record.key


def _name(told: Mapping[str, bytes], header: str) -> str | None:
    found = as_text(told.get(header))
    return found if found and len(found) <= NAME_MAX_CHARS else None


def _integer(told: Mapping[str, bytes], header: str) -> int | None:
    value = told.get(header, b"")
    return int(value) if value.isdigit() and len(value) <= INTEGER_DIGITS_MAX else None


def _small(told: Mapping[str, bytes], header: str) -> int | None:
    found = _integer(told, header)
    return found if found is not None and found < 2**31 else None


def _instant(written: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(written or "")
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _from_milliseconds(timestamp: int) -> datetime | None:
    """A producer's clock may say anything, -1 for none."""
    try:
        return datetime.fromtimestamp(timestamp / 1000, UTC) if timestamp > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _uuid(written: str | None) -> UUID | None:
    try:
        return UUID(written or "")
    except ValueError:
        return None
