"""What a trace says of a record on its way: sent by a relay, received in a batch, handled, and routed on.

Names are those of OpenTelemetry's semantic conventions for messaging and Kafka, version 1.45. A record carries the span that sent it, so
whoever handles it is that span's child. The batch in which it came, a trace of its own, is linked to each of its records, and each of them
to the batch: what shared a transaction can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind

from courtside_contracts.envelope import Envelope
from services.chassis import telemetry
from services.chassis.retrying import attempt_of, first_headers
from services.chassis.subscribing import Record
from services.chassis.telemetry import Attributes, is_recording, tracing
from services.chassis.verbatim import RawHeaders

TRACEPARENT = "traceparent"
LINKS_MAX = 128
"""As many as the SDK keeps of one span."""


def begin_send(topic: str, key: bytes | None, headers: RawHeaders) -> Span | None:
    """Of a row that leaves the outbox. `None` where nothing is recorded: then its record carries what the row has."""
    if not is_recording():
        return None
    told = first_headers(headers)
    attributes = {
        **_about(topic, "send"),
        "kafka.message.key": _text(key or b""),
        "messaging.message.id": _text(told.get("ce_id", b"")),
        "courtside.event.type": _text(told.get("ce_type", b"")),
    }
    return telemetry.begin(f"send {topic}", SpanKind.PRODUCER, _traceparent_of(headers), attributes)


def renewed(headers: RawHeaders, span: Span) -> RawHeaders:
    """The record says who sent it, in the place of who wrote it: the same trace, one step on."""
    carried = telemetry.written(span.get_span_context()) or ""
    return (*((name, value) for name, value in headers if name != TRACEPARENT), (TRACEPARENT, carried.encode()))


@contextmanager
def receiving(records: Sequence[Record], group: str) -> Iterator[None]:
    """Around all that becomes of one batch."""
    if not is_recording():
        yield
        return
    topic = records[0].topic
    attributes = _about(topic, "receive", "poll") | {
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(records),
    }
    senders = (telemetry.read(_traceparent_of(record.headers)) for record in records[:LINKS_MAX])
    links = [Link(sender) for sender in senders if sender]
    with telemetry.current(telemetry.begin(f"poll {topic}", SpanKind.CLIENT, None, attributes, links)):
        yield


def processing(record: Record, group: str, told: Envelope | None) -> AbstractContextManager[None]:
    """Around the handling of one record, in the batch that is being received. `told` is `None` when it cannot be read."""
    traceparent = told.traceparent if told else _traceparent_of(record.headers)
    correlation_id = told.correlation_id if told else None
    if not is_recording():
        return tracing(traceparent, correlation_id)
    name, batch = f"process {record.topic}", Link(trace.get_current_span().get_span_context())
    return tracing(traceparent, correlation_id, name, SpanKind.CONSUMER, _about_record(record, group), [batch])


def routing(topic: str) -> AbstractContextManager[Any]:
    """Around sending a record to a retry topic or the dead letters, below the span in which it failed."""
    if not is_recording():
        return nullcontext()
    return telemetry.TRACER.start_as_current_span(
        f"send {topic}", kind=SpanKind.PRODUCER, attributes=_about(topic, "send"), record_exception=False
    )


def _about(topic: str, kind: str, name: str = "") -> dict[str, str | int | float | bool]:
    return {
        "messaging.system.name": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.type": kind,
        "messaging.operation.name": name or kind,
    }


def _about_record(record: Record, group: str) -> Attributes:
    told = first_headers(record.headers)
    return {
        **_about(record.topic, "process"),
        "messaging.consumer.group.name": group,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.message.id": _text(told.get("ce_id", b"")),
        "kafka.offset": record.offset,
        "kafka.message.key": _text(record.key or b""),
        "courtside.event.type": _text(told.get("ce_type", b"")),
        "courtside.attempt": attempt_of(record) + 1,
    }


def _traceparent_of(headers: Iterable[tuple[str, bytes | None]]) -> str:
    return _text(first_headers(headers).get(TRACEPARENT, b""))


def _text(value: bytes) -> str:
    return value[:256].decode(errors="replace")
