"""Which request or event is being worked on: W3C trace context and a correlation id, carried over HTTP, outbox and Kafka.

Each piece of work is a span of OpenTelemetry. Without an exporter (`exporting.py`) spans are recorded nowhere, and only their ids live: in
logs, in outbox rows and in answers.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)

TRACER = trace.get_tracer("courtside")
"""Made before there is an exporter: it begins to record when there is one."""

Attributes = Mapping[str, str | int | float | bool]


def current_traceparent() -> str | None:
    return written(trace.get_current_span().get_span_context())


def current_correlation_id() -> str | None:
    return _correlation_id.get()


def add_ids(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Into a line of the log, of the work in which it is written: for structlog. Most records are handled without a line."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line.setdefault("trace_id", f"{context.trace_id:032x}")
        line.setdefault("correlation_id", _correlation_id.get())
    return line


def is_recording() -> bool:
    """Spans go somewhere: only then is it worth while to begin those that carry no ids on."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider)


def read(traceparent: str | None) -> SpanContext | None:
    """`None` for what is no traceparent of version 00."""
    if not traceparent or not _TRACEPARENT.match(traceparent):
        return None
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))


def written(context: SpanContext) -> str | None:
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


@contextmanager
def tracing(
    traceparent: str | None,
    correlation_id: str | None,
    name: str = "work",
    kind: SpanKind | None = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    links: Sequence[Link] = (),
) -> Iterator[None]:
    """Everything inside logs and publishes under this trace, or a new one when there is none that can be read.

    With `kind=None` it is recorded nowhere.
    """
    correlated = _correlation_id.set(correlation_id)
    try:
        with current(begin(name, kind, traceparent, attributes, links)):
            yield
    finally:
        _correlation_id.reset(correlated)


def travelling() -> dict[str, str | int | float | bool]:
    """For the metadata of what is made at a provider: its webhooks bring it back. Nothing where nothing is recorded."""
    carried = current_traceparent() if is_recording() else None
    return {"traceparent": carried} if carried else {}


@contextmanager
def continuing(traceparent: str | None, name: str) -> Iterator[None]:
    """What came back over a provider goes on in the trace that it was sent out with, linked to that of the request which brought it."""
    if read(traceparent) is None:
        yield
        return
    brought_by = Link(trace.get_current_span().get_span_context())
    with tracing(traceparent, current_correlation_id(), name, links=[brought_by]):
        yield


def begin(
    name: str,
    kind: SpanKind | None,
    traceparent: str | None,
    attributes: Attributes | None = None,
    links: Sequence[Link] = (),
) -> Span:
    """A child of the span received, not current yet. Whoever begins it ends it."""
    parent = read(traceparent)
    if kind is None or not is_recording():
        return NonRecordingSpan(_child(parent))
    around = trace.set_span_in_context(NonRecordingSpan(parent), Context()) if parent else Context()
    span = TRACER.start_span(name, around, kind, attributes, links)
    made = span.get_span_context()
    if made.is_valid and (parent is None or made.span_id != parent.span_id):
        return span
    return NonRecordingSpan(_child(parent))


def fail(span: Span, error: BaseException) -> None:
    """By the error's class alone: its message may repeat what a player wrote."""
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR)


@contextmanager
def current(span: Span) -> Iterator[None]:
    """What happens inside is this span's, and ends with it."""
    token = attach(trace.set_span_in_context(span))
    try:
        yield
    except BaseException as error:
        fail(span, error)
        raise
    finally:
        detach(token)
        span.end()


def _child(parent: SpanContext | None) -> SpanContext:
    """Where nothing is recorded. Sampled, unless it was decided before us that this trace is not."""
    trace_id = parent.trace_id if parent else _random_id(128)
    flags = parent.trace_flags if parent else TraceFlags(TraceFlags.SAMPLED)
    return SpanContext(trace_id, _random_id(64), is_remote=False, trace_flags=flags)


def _random_id(bits: int) -> int:
    """As OpenTelemetry's SDK makes its own: to be told apart, not to be kept secret."""
    return random.getrandbits(bits) or 1
