"""From the bytes of a record to an event of ours, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from courtside_contracts.envelope import Envelope, Event, MalformedEnvelope
from services.chassis.consuming import Consumers
from services.chassis.retrying import Fatal, Ladder, Transient
from services.chassis.subscribing import Record

ERRORS_MAX = 5
"""Of a body that does not fit: enough to see what is wrong with it."""


class NewerVersion(Transient):
    """A version of an event that this process is too old for: it waits for the deployment to end."""


@dataclass(frozen=True)
class Received:
    """A record that could be read. A tombstone has a kind and no event."""

    record: Record
    envelope: Envelope
    kind: type[Event]
    event: Event | None

    @property
    def key(self) -> str:
        """Raises `Fatal`."""
        try:
            return (self.record.key or b"").decode()
        except UnicodeDecodeError as error:
            raise Fatal("the key is not UTF-8") from error


class Decoder:
    def __init__(self, consumers: Consumers, ladder: Ladder) -> None:
        self._types, self._tombstones = consumers.by_type, consumers.tombstones
        self._stems = {name.rsplit(".v", 1)[0] for name in self._types}
        self._longest_wait = ladder.tiers[-1].delay

    def decode(self, record: Record) -> Received | None:
        """`None` for a type that nobody here asked for. Raises `Fatal` or `NewerVersion`."""
        attributes = _attributes(record)
        kind = self._types.get(attributes.type)
        if kind is None:
            self._refuse_newer(attributes.type)
            return None
        if record.value is None:
            self._require_tombstone(record, kind)
            return Received(record, attributes, kind, None)
        return Received(record, attributes, kind, _event(record.value, kind))

    def _refuse_newer(self, name: str) -> None:
        if name.rsplit(".v", 1)[0] in self._stems:
            raise NewerVersion(f"{name} is not known here yet", retry_after=self._longest_wait)

    def _require_tombstone(self, record: Record, kind: type[Event]) -> None:
        if kind not in self._tombstones:
            raise Fatal(f"{kind.type} has no value")
        if not record.key:
            raise Fatal("a tombstone without a key says of nobody that they are to be forgotten")


def _event(value: bytes, kind: type[Event]) -> Event:
    try:
        return kind.model_validate_json(value)
    except ValidationError as error:
        # The errors without their input: a dead letter's headers repeat no data.
        found = (f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:ERRORS_MAX])
        raise Fatal("; ".join(found)) from error


def _attributes(record: Record) -> Envelope:
    try:
        return Envelope.parse(record.headers)
    except MalformedEnvelope as error:
        raise Fatal(str(error)) from error
