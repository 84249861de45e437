"""An OTLP receiver over HTTP, as a collector is one: keeps the spans that processes send."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from deploy.local.environment import HOST
from tests.ports import free_port


@dataclass(frozen=True)
class Told:
    """One span. Ids in hex; `links` are (trace id, span id); times in seconds since 1970."""

    service: str
    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    attributes: Mapping[str, Any]
    links: tuple[tuple[str, str], ...]
    failed: bool
    events: tuple[Mapping[str, Any], ...]
    began_at: float
    ended_at: float


@dataclass
class Receiver:
    url: str
    spans: list[Told] = field(default_factory=list)

    def of_trace(self, trace_id: str) -> list[Told]:
        return [span for span in self.spans if span.trace_id == trace_id]


@asynccontextmanager
async def receiving(host: str = HOST) -> AsyncIterator[Receiver]:
    """`host` is the address to listen on: containers reach another one than this machine's own programs."""
    port = free_port()
    receiver = Receiver(f"http://{HOST}:{port}")
    app = FastAPI()

    @app.post("/v1/traces")
    async def take(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        receiver.spans += _read(ExportTraceServiceRequest.FromString(body))
        return Response(ExportTraceServiceResponse().SerializeToString(), media_type="application/x-protobuf")

    server = uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_config=None, access_log=False))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the receiver did not start"
        await asyncio.sleep(0.01)
    try:
        yield receiver
    finally:
        server.should_exit = True
        await serving


def _read(request: ExportTraceServiceRequest) -> list[Told]:
    return [
        Told(
            service=_attributes(sent.resource.attributes)["service.name"],
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=span.parent_span_id.hex(),
            name=span.name,
            kind=span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
            attributes=_attributes(span.attributes),
            links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
            failed=span.status.code == span.status.STATUS_CODE_ERROR,
            events=tuple(_attributes(event.attributes) for event in span.events),
            began_at=span.start_time_unix_nano / 1e9,
            ended_at=span.end_time_unix_nano / 1e9,
        )
        for sent in request.resource_spans
        for scope in sent.scope_spans
        for span in scope.spans
    ]


def _attributes(told: Any) -> dict[str, Any]:
    return {one.key: _value(one.value) for one in told}


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
