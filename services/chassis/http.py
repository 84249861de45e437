"""The HTTP application that every service is: problem documents, trace and request ids, limits, metrics, health."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from prometheus_client import Counter, Histogram
from starlette.middleware.cors import CORSMiddleware
from uuid_utils.compat import uuid7

from services.chassis import docs, problem_answers, problem_pages, problems
from services.chassis.openapi import DescribedAPI
from services.chassis.settings import Settings
from services.chassis.telemetry import current_traceparent, tracing

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"^[\w.:/+=-]{1,128}$")

REQUESTS = Counter("courtside_http_requests_total", "Requests by route and status", ["method", "route", "status"])
SECONDS = Histogram("courtside_http_request_seconds", "Time from request to the end of the answer", ["method", "route"])

ADDED = "courtside.headers"
ASKED_OFTEN = ("/livez", "/readyz", "/metrics")
"""Neither logged nor traced: they are asked every few seconds, and say nothing of a player."""

PROTECTION = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""On every answer that does not say otherwise: what is no page of ours must not be taken for one by a browser (OWASP, REST security)."""
ENCRYPTED_ONLY = {"Strict-Transport-Security": "max-age=63072000"}  # two years
ASKED = ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Request-Id", "traceparent"]
TOLD = ["ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id", "traceparent"]
"""Headers that a page of another origin may send, and read."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def create_app(settings: Settings, title: str, body_max_bytes: int, routers: Sequence[APIRouter], **state: Any) -> App:
    """`RequestContext` around FastAPI: inside it, FastAPI would answer some requests before any of our code."""
    app = _api(title, [*routers, docs.router, problem_pages.router], body_max_bytes)
    for name, value in state.items():
        setattr(app.state, name, value)
    app.state.settings = settings
    problem_answers.install(app)
    protection = PROTECTION | (ENCRYPTED_ONLY if settings.public_url.startswith("https://") else {})
    return _open_to(settings.cors_origins, RequestContext(app, body_max_bytes, protection))


def _open_to(origins: Sequence[str], app: App) -> App:
    """Outermost, so that a page may read a refusal too. Without credentials: a token is a header, never a cookie."""
    if not origins:
        return app
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return CORSMiddleware(app, allow_origins=origins, allow_methods=methods, allow_headers=ASKED, expose_headers=TOLD)


def describe(title: str, routers: Sequence[APIRouter]) -> str:
    """The OpenAPI document of these routes, as text to be committed and compared."""
    return json.dumps(_api(title, routers).openapi(), indent=2, ensure_ascii=False) + "\n"


def _api(title: str, routers: Sequence[APIRouter], body_max_bytes: int | None = None) -> DescribedAPI:
    app = DescribedAPI(
        title=title,
        version="1",
        docs_url=None,  # FastAPI's own pages load scripts from elsewhere: `docs` serves ours
        redoc_url=None,
        max_body_size=body_max_bytes,  # for bodies in chunks, whose length is not told beforehand
        telemetry={"tracing": False, "metrics": False},
        generate_unique_id_function=_operation_id,
    )
    for router in routers:
        app.include_router(router)
    return app


def _operation_id(route: APIRoute) -> str:
    return route.name


def add_headers(request: Request, headers: Mapping[str, str]) -> None:
    """On whatever is answered: also on a response that the endpoint made itself, and on a problem."""
    request.scope[ADDED].extend((name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items())


class RequestContext:
    """Outside of FastAPI: gives each request its ids and each answer its protection, logs and counts it, and turns away a body that says
    it is too large.
    """

    def __init__(self, app: App, body_max_bytes: int, protection: Mapping[str, str]) -> None:
        self.app, self.body_max_bytes = app, body_max_bytes
        self.protection = [(name.lower().encode(), value.encode()) for name, value in protection.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.match(request_id):
            request_id = str(uuid7())
        # The route is known at the end only, and the path would say too much: ids, and the secret of a calendar.
        kind = SpanKind.SERVER if scope["path"] not in ASKED_OFTEN else None
        with tracing(headers.get("traceparent"), request_id, scope["method"], kind):
            answer = _Answer(send, request_id, current_traceparent() or "", self.protection)
            scope[ADDED] = answer.headers
            try:
                if _length(headers) > self.body_max_bytes:
                    too_large = problems.BodyTooLarge(f"A body has at most {self.body_max_bytes} bytes here.")
                    await problem_answers.respond(too_large)(scope, receive, answer.send)
                else:
                    await self.app(scope, receive, answer.send)
            finally:
                answer.record(scope)


def _length(headers: dict[str, str]) -> int:
    length = headers.get("content-length", "0")
    return int(length) if length.isdigit() else 0


class _Answer:
    def __init__(
        self, send: Send, request_id: str, traceparent: str, protection: Sequence[tuple[bytes, bytes]]
    ) -> None:
        self._send, self._started, self._protection = send, time.perf_counter(), protection
        self.headers = [(b"x-request-id", request_id.encode("latin-1")), (b"traceparent", traceparent.encode())]
        self._status = 500

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            told = [*message.get("headers", []), *self.headers]
            names = {name.lower() for name, _ in told}
            message["headers"] = told + [header for header in self._protection if header[0] not in names]
        await self._send(message)

    def record(self, scope: Scope) -> None:
        """By the route's template, never by the path: ids are no labels."""
        route = getattr(scope.get("route"), "path", "unmatched")
        seconds = time.perf_counter() - self._started
        REQUESTS.labels(scope["method"], route, self._status).inc()
        SECONDS.labels(scope["method"], route).observe(seconds)
        if route not in ASKED_OFTEN:
            self._tell_trace(scope["method"], route)
            log.info("request", method=scope["method"], route=route, status=self._status, ms=round(seconds * 1000, 1))

    def _tell_trace(self, method: str, route: str) -> None:
        span = trace.get_current_span()
        if span.is_recording():
            span.update_name(f"{method} {route}")
            span.set_attributes(
                {"http.request.method": method, "http.route": route, "http.response.status_code": self._status}
            )
            if self._status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                span.set_status(StatusCode.ERROR)
