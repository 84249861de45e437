from __future__ import annotations

import pytest

from services.chassis.telemetry import current_correlation_id, current_traceparent, tracing

RECEIVED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def test_a_trace_goes_on_with_a_span_of_our_own() -> None:
    with tracing(RECEIVED, None):
        version, trace_id, span_id, flags = (current_traceparent() or "").split("-")
    assert (version, trace_id, flags) == ("00", "4bf92f3577b34da6a3ce929d0e0e4736", "00")
    assert span_id != "00f067aa0ba902b7"


@pytest.mark.parametrize(
    "received", [None, "", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", RECEIVED.upper(), "x" * 10_000]
)
def test_what_cannot_be_read_starts_a_new_trace(received: str | None) -> None:
    with tracing(received, None):
        started = current_traceparent() or ""
    assert len(started) == len(RECEIVED)
    assert started.split("-")[1] != "4bf92f3577b34da6a3ce929d0e0e4736"


def test_a_trace_ends_with_its_block() -> None:
    with tracing(RECEIVED, "request-7"):
        outer = current_traceparent()
        with tracing(None, None):
            assert current_traceparent() != outer
        assert (current_traceparent(), current_correlation_id()) == (outer, "request-7")
    assert current_traceparent() is None
