"""Which request or event is being worked on: W3C trace context and a correlation id, carried over HTTP, outbox and Kafka."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

_TRACEPARENT = re.compile(r"^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$")
_traceparent: ContextVar[str | None] = ContextVar("traceparent", default=None)
_correlation_id: ContextVar[str | None] = ContextVar("correlation_id", default=None)


def current_traceparent() -> str | None:
    return _traceparent.get()


def current_correlation_id() -> str | None:
    return _correlation_id.get()


def continue_trace(received: str | None) -> str:
    """A child of the trace received, or a new trace when there is none that can be read."""
    trace_id, flags = secrets.token_hex(16), "01"
    if received and _TRACEPARENT.match(received):
        _, trace_id, _, flags = received.split("-")
    return f"00-{trace_id}-{secrets.token_hex(8)}-{flags}"


@contextmanager
def tracing(traceparent: str | None, correlation_id: str | None) -> Iterator[str]:
    """Everything inside logs and publishes under this trace. Yields the traceparent of the new span."""
    child = continue_trace(traceparent)
    trace_token, correlation_token = _traceparent.set(child), _correlation_id.set(correlation_id)
    with structlog.contextvars.bound_contextvars(trace_id=child.split("-")[1], correlation_id=correlation_id):
        try:
            yield child
        finally:
            _traceparent.reset(trace_token)
            _correlation_id.reset(correlation_token)
