"""The CloudEvents 1.0 envelope in Kafka's binary mode: attributes are headers, the value is the event's JSON and nothing else.

Source: CloudEvents Kafka protocol binding 1.0.2, section 3.2. The official SDK is the oracle in the tests; it is not used here,
since it invents an id when `ce_id` is missing, and a consumer that deduplicates by id must not get an invented one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

CONTENT_TYPE = "application/json"
SPEC_VERSION = "1.0"

Headers = tuple[tuple[str, bytes], ...]


class Event(BaseModel, ABC):
    """A fact, told with the full state of its subject, so that a consumer may meet it twice and in any order.

    Fields are only ever added, and only optional ones; a consumer ignores those it does not know. A new meaning is a new type.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: ClassVar[str]
    """The CloudEvents type, past tense and version: `booking.held.v1`."""
    topic: ClassVar[str]
    """The topic's name without the prefix of an installation."""
    source: ClassVar[str]
    """The CloudEvents source: the service that owns the subject, as a URI reference."""

    @property
    @abstractmethod
    def key(self) -> str:
        """The id of the aggregate. Kafka keeps the order of the records of one key."""

    def value(self) -> bytes:
        return self.model_dump_json().encode()


class MalformedEnvelope(ValueError):
    """The headers are not those of a CloudEvent: an attribute is missing, is there twice, or is not UTF-8."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """The attributes of one event, without its data.

    `time` is when the fact was recorded, in UTC. `subject` is the aggregate's id. `traceparent` is W3C Trace Context, version 00.
    """

    id: str
    type: str
    source: str
    time: datetime
    subject: str | None = None
    traceparent: str | None = None
    correlation_id: str | None = None

    def headers(self) -> Headers:
        attributes = {
            "ce_specversion": SPEC_VERSION,
            "ce_id": self.id,
            "ce_source": self.source,
            "ce_type": self.type,
            "ce_time": rfc3339(self.time),
            "ce_subject": self.subject,
            "ce_correlationid": self.correlation_id,
            "content-type": CONTENT_TYPE,
            "traceparent": self.traceparent,
        }
        return tuple((name, value.encode()) for name, value in attributes.items() if value is not None)

    @classmethod
    def parse(cls, headers: Iterable[tuple[str, bytes | None]]) -> Self:
        """Read the attributes of a record. Raises `MalformedEnvelope`; other headers are left alone."""
        found = _text(headers)
        if found.get("ce_specversion") != SPEC_VERSION:
            raise MalformedEnvelope("ce_specversion is not 1.0")
        try:
            return cls(
                id=found["ce_id"],
                type=found["ce_type"],
                source=found["ce_source"],
                time=datetime.fromisoformat(found["ce_time"]),
                subject=found.get("ce_subject"),
                traceparent=found.get("traceparent"),
                correlation_id=found.get("ce_correlationid"),
            )
        except KeyError as missing:
            raise MalformedEnvelope(f"header {missing.args[0]} is missing") from None
        except ValueError:
            raise MalformedEnvelope("ce_time is not an RFC 3339 instant") from None


def rfc3339(instant: datetime) -> str:
    """UTC with microseconds and `Z`: the one form that all services write, so that equal instants are equal bytes."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _text(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if not (name.startswith("ce_") or name == "traceparent"):
            continue
        if name in found:
            raise MalformedEnvelope(f"header {name} is there twice")
        if not value:
            raise MalformedEnvelope(f"header {name} is empty")
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            raise MalformedEnvelope(f"header {name} is not UTF-8") from None
    return found
