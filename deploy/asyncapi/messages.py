"""The messages: one for each event type, one for a compacted topic's tombstone, and one for whatever a service failed at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from inspect import cleandoc
from typing import Any

from aiokafka import ConsumerRecord

from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import CONTENT_TYPE, Envelope
from courtside_contracts.examples import NOON, envelope, example
from deploy.asyncapi.traffic import Kind
from services.chassis.retrying import Ladder, Transient, next_hop

Json = dict[str, Any]

FAILED = "failed-record"
TOMBSTONE = ".tombstone"
SCHEMAS = "#/components/schemas/{model}"

OF_HEADERS: Mapping[str, Json] = {
    "ce_id": {
        "type": "string",
        "description": "The event's id: equal for each repetition of the event, and only then.",
    },
    "ce_time": {"type": "string", "format": "date-time", "description": "When the fact was recorded, in UTC."},
    "ce_subject": {"type": "string", "description": "The aggregate's id: equals the record's key."},
    "ce_correlationid": {"type": "string", "description": "The request that all of this began with."},
    "traceparent": {"type": "string", "description": "W3C Trace Context, version 00."},
}
"""The others have one value for each event type."""


def schemas(kinds: Mapping[str, Kind]) -> Json:
    found: Json = {}
    for kind in kinds.values():
        schema = kind.model_json_schema(mode="serialization", ref_template=SCHEMAS)
        found |= schema.pop("$defs", {})
        found[kind.__name__] = schema
    return found


def message(kind: Kind) -> Json:
    title = kind.__name__
    told = {
        "name": kind.type,
        "title": title,
        "summary": cleandoc(kind.__doc__ or title),
        "contentType": CONTENT_TYPE,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "headers": headers(kind),
        "payload": {"$ref": SCHEMAS.format(model=title)},
    }
    return told | _public(kind) if kind.type in EVENTS else told


def _public(kind: Kind) -> Json:
    """What is known of an event that our own models write."""
    event = example(kind)
    field = next(name for name, value in event if str(value) == event.key)
    key = {"type": "string", "format": "uuid", "description": f"The `{field}`."}
    payload = json.loads(event.value())
    return {
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
        "examples": [{"name": kind.__name__, "headers": _written(envelope(event)), "payload": payload}],
    }


def tombstone(kind: Kind) -> Json:
    """As on the event itself, but for the value."""
    return {
        "name": kind.type + TOMBSTONE,
        "title": f"{kind.__name__} erased",
        "summary": "A null value: forget what was said under this key.",
        "headers": headers(kind),
        "payload": {"type": "null"},
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}, "bindingVersion": "0.5.0"}},
    }


def headers(kind: Kind) -> Json:
    """Of CloudEvents' binary mode. Which are always there, and what they say, is asked of the envelope itself."""
    full = replace(envelope(example(kind)) if kind.type in EVENTS else _anything(kind), type=kind.type)
    least = replace(full, subject=None, traceparent=None, correlation_id=None)
    properties = {
        name: OF_HEADERS.get(name, {"type": "string", "const": said}) for name, said in _written(full).items()
    }
    return {"type": "object", "required": list(_written(least)), "properties": properties}


def _anything(kind: Kind) -> Envelope:
    return Envelope("id", kind.type, kind.source, NOON, "subject", "traceparent", "correlation id")


def _written(attributes: Envelope) -> dict[str, str]:
    return {name: value.decode() for name, value in attributes.headers()}


def failed_record() -> Json:
    """The headers that a failure adds are those that `next_hop` adds."""
    added = _added_by_a_failure()
    return {
        "name": FAILED,
        "title": "A record that could not be handled",
        "summary": "Key, value and headers as they were received, to the byte, and headers that say where and why it failed.",
        "headers": {
            "type": "object",
            "required": list(added),
            "properties": {name: {"type": "string", "examples": [value]} for name, value in added.items()},
        },
        "payload": {"description": "What was received: valid or not."},
    }


def _added_by_a_failure() -> dict[str, str]:
    record = ConsumerRecord(
        topic="booking.events",
        partition=3,
        offset=1041,
        timestamp=int(NOON.timestamp() * 1000),
        timestamp_type=0,
        key=b"",
        value=b"",
        checksum=None,
        serialized_key_size=0,
        serialized_value_size=0,
        headers=(),
    )
    hop = next_hop(record, Transient("the provider answered 503"), Ladder("payments"), NOON + timedelta(seconds=1))
    return {name: value.decode() for name, value in hop.headers}
