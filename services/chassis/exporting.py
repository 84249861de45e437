"""Sends the spans of this process to an OpenTelemetry collector, when one is named. Told by OpenTelemetry's own variables:

OTEL_EXPORTER_OTLP_ENDPOINT   `http://collector:4318`; without it nothing is recorded, and nothing of the SDK is imported
OTEL_TRACES_SAMPLER(_ARG)     how many traces are recorded; all when not given
OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_*, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SDK_DISABLED   as the SDK knows them
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from opentelemetry import trace
from opentelemetry.trace import NoOpTracerProvider, Span

from services.chassis.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
LAST_SPANS_MS = 3_000
"""What a process that leaves waits for a collector: spans are worth less than a quick restart."""


@contextmanager
def exporting(settings: Settings, role: str) -> Iterator[None]:
    """For the life of the process."""
    if not is_wanted():
        trace.set_tracer_provider(
            NoOpTracerProvider()
        )  # else OpenTelemetry looks through the environment for each span
        yield
        return
    provider = _provider(settings, role)
    trace.set_tracer_provider(provider)
    _trace_http_clients()
    try:
        yield
    finally:
        provider.force_flush(LAST_SPANS_MS)


def is_wanted() -> bool:
    disabled = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not disabled and any(os.environ.get(name) for name in ENDPOINTS)


def _provider(settings: Settings, role: str) -> TracerProvider:
    # Imported here: without a collector they would cost each process a third of a second and 20 MB.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    told = {
        "service.namespace": "courtside",
        "service.name": settings.service,
        "service.instance.id": str(uuid4()),
        "deployment.environment.name": settings.environment,
        "courtside.role": role,
    }
    provider = TracerProvider(resource=Resource.create(told), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _trace_http_clients() -> None:
    """Each request to a provider is a span, and carries the trace. A service without a provider has no httpx to be traced."""
    if find_spec("httpx") is None:
        return
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor  # noqa: PLC0415

    HTTPXClientInstrumentor().instrument(async_request_hook=_without_query)


async def _without_query(span: Span, request: Any) -> None:
    """A player's address is part of what Polar is asked: `?query=ana@example.com`."""
    span.set_attribute("url.full", str(request.url.copy_with(query=None)))
    span.update_name(f"{request.method.decode()} {request.url.host}")
