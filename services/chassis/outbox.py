"""The transactional outbox: an event is a row of the same commit as the change that it tells of. The relay carries it to Kafka.

The columns are those of Debezium's outbox event router, so that an operator can switch to it: `aggregatetype` is the topic,
`aggregateid` the key, `payload` the value's bytes. A row is deleted once the broker has it, never updated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, Table, Text, Uuid, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.topics import FAILURE_HEADERS_MAX_BYTES, RECORD_MAX_BYTES
from services.chassis import problems
from services.chassis.database import CHASSIS
from services.chassis.telemetry import current_correlation_id, current_traceparent
from services.chassis.verbatim import RawHeaders, Verbatim

EventKind = type[Event]

OVERHEAD_BYTES = 4_096
"""Room for the key, the headers and the batch's own fields beside the value."""
VERBATIM_MAX_BYTES = RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES - OVERHEAD_BYTES
"""Of value, key and headers together, when they are sent as they are: to a retry topic, which takes so much."""

VERBATIM = "verbatim"
"""The member of `headers` that holds key and headers of a record that is sent as it is."""
NO_VERBATIM = "outbox_no_verbatim"
"""The constraint that `deploy/debezium/prepare.sql` adds: from then on no such record is taken, whatever a process was told."""

outbox = Table(
    "outbox",
    CHASSIS,
    # CACHE 1, PostgreSQL's default, is needed: the order of `seq` within one aggregate is the order of its commits.
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("id", Uuid, nullable=False),
    Column("aggregatetype", Text, nullable=False),
    Column("aggregateid", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("payload", LargeBinary),  # null is a tombstone
    Column("headers", JSONB, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
)


class RecordTooLarge(ValueError):
    """No topic takes a record of this size; nothing was written."""


class RelayOff(problems.Conflict):
    """Another program carries this service's outbox, and would not send a record as it is: put the relay back first."""

    def __init__(self) -> None:
        super().__init__("Debezium carries the outbox at present. See deploy/debezium/README.md on how to switch back.")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be published: an event, or bytes that someone else wrote (`payload=None` is a tombstone).

    With `verbatim`, its key and headers go out in place of those that the other fields would make.
    """

    id: UUID
    topic: str
    key: str
    type: str
    source: str
    payload: bytes | None
    time: datetime
    traceparent: str | None = field(default_factory=current_traceparent)
    correlation_id: str | None = field(default_factory=current_correlation_id)
    verbatim: Verbatim | None = None

    @classmethod
    def of(cls, event: Event, now: datetime) -> Outgoing:
        """Under the trace of the request or record that is being worked on."""
        return cls(uuid7(), event.topic, event.key, event.type, event.source, event.value(), now)

    @classmethod
    def tombstone(cls, kind: EventKind, key: str, now: datetime) -> Outgoing:
        """On a compacted topic: forget what was said under this key."""
        return cls(uuid7(), kind.topic, key, kind.type, kind.source, None, now)

    def headers(self) -> dict[str, str]:
        """What the relay cannot tell from the other columns."""
        if self.verbatim:
            return {"ce_source": self.source, VERBATIM: self.verbatim.packed()}
        optional = {"ce_correlationid": self.correlation_id, "traceparent": self.traceparent}
        return {"ce_source": self.source} | {name: value for name, value in optional.items() if value}

    def row(self) -> dict[str, Any]:
        size, limit = len(self.payload or b""), RECORD_MAX_BYTES - OVERHEAD_BYTES
        if self.verbatim:
            size, limit = size + self.verbatim.size_bytes, VERBATIM_MAX_BYTES
        if size > limit:
            raise RecordTooLarge(f"{self.type} has {size} bytes")
        return {
            "id": self.id,
            "aggregatetype": self.topic,
            "aggregateid": self.key,
            "type": self.type,
            "payload": self.payload,
            "headers": self.headers(),
            "created_at": self.time,
        }


async def write(session: AsyncSession, outgoing: Iterable[Outgoing]) -> None:
    """One statement, whatever the number of events. Raises `RelayOff` for a record that is sent as it is, beside Debezium."""
    if rows := [record.row() for record in outgoing]:
        try:
            await session.execute(insert(outbox), rows)
        except IntegrityError as error:
            if getattr(error.orig and error.orig.__cause__, "constraint_name", None) != NO_VERBATIM:
                raise
            raise RelayOff from error


def envelope(*, id: UUID, type: str, aggregateid: str, headers: dict[str, str], created_at: datetime) -> Envelope:  # noqa: A002
    """The CloudEvents attributes of a row."""
    return Envelope(
        id=str(id),
        type=type,
        source=headers["ce_source"],
        time=created_at,
        subject=aggregateid,
        traceparent=headers.get("traceparent"),
        correlation_id=headers.get("ce_correlationid"),
    )


def is_verbatim(headers: str) -> bool:
    """Of the column's JSON: the record goes out as it is."""
    return VERBATIM in orjson.loads(headers)


def on_the_wire(
    *,
    id: UUID,  # noqa: A002
    type: str,  # noqa: A002
    aggregateid: str,
    headers: str,
    created_at: datetime,
) -> tuple[bytes | None, RawHeaders]:
    """Key and headers of a row's record. `headers` is the column's JSON."""
    told = orjson.loads(headers)
    if VERBATIM in told:
        verbatim = Verbatim.unpacked(told[VERBATIM])
        return verbatim.key, verbatim.headers
    attributes = envelope(id=id, type=type, aggregateid=aggregateid, headers=told, created_at=created_at)
    return aggregateid.encode(), attributes.headers()
