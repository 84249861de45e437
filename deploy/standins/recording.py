"""What was asked and what was answered: a line in the log, and a row for `GET /_admin/requests`."""

import json
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.standins.clock import Clock, iso
from deploy.standins.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
  seq INTEGER PRIMARY KEY, at TEXT NOT NULL, method TEXT NOT NULL, path TEXT NOT NULL, query TEXT NOT NULL,
  headers TEXT NOT NULL, body TEXT NOT NULL, status INTEGER NOT NULL, answer TEXT NOT NULL,
  fault TEXT NOT NULL DEFAULT ''
);
"""
KEPT_REQUESTS = 5_000
KEPT_BODY_BYTES = 64 * 1024  # enough for any call of a booking; a mail with large attachments is cut
UNRECORDED = ("/healthz", "/_admin/")
FAULT = "courtside.fault"  # in the scope: which one struck this request
NO_ANSWER = 0  # the status of a request whose caller got none

log = logging.getLogger(__name__)


@dataclass
class _Exchange:
    """One request and its answer while they pass."""

    scope: Scope
    started: float = field(default_factory=time.perf_counter)
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)
    status: int = NO_ANSWER
    recorded: bool = False


class Recording:
    """ASGI middleware. The row is written before the last byte of the answer leaves."""

    def __init__(self, app: ASGIApp, database: Database, clock: Clock) -> None:
        self._app = app
        self._database = database
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNRECORDED):
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope)

        async def recorded_receive() -> Message:
            message = await receive()
            _keep(exchange.asked, message.get("body", b""))
            return message

        async def recorded_send(message: Message) -> None:
            exchange.status = message.get("status", exchange.status)
            _keep(exchange.answered, message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                self._record(exchange)
            await send(message)

        try:
            await self._app(scope, recorded_receive, recorded_send)
        except Exception:
            exchange.status = 500
            raise
        finally:
            if not exchange.recorded:  # it raised, the caller went away, or a fault kept the answer back
                self._record(exchange)

    def _record(self, exchange: _Exchange) -> None:
        exchange.recorded = True
        method, path = exchange.scope["method"], exchange.scope["path"]
        with self._database.transaction():
            seq = self._database.execute(
                "INSERT INTO requests (at, method, path, query, headers, body, status, answer, fault) "
                "VALUES (?,?,?,?,?,?,?,?,?)",
                (
                    iso(self._clock.now()),
                    method,
                    path,
                    exchange.scope["query_string"].decode("latin-1"),
                    json.dumps(_readable_headers(exchange.scope)),
                    exchange.asked.decode(errors="replace"),
                    exchange.status,
                    exchange.answered.decode(errors="replace"),
                    exchange.scope.get(FAULT, ""),
                ),
            ).lastrowid
            self._database.execute("DELETE FROM requests WHERE seq <= ?", ((seq or 0) - KEPT_REQUESTS,))
        duration_ms = round((time.perf_counter() - exchange.started) * 1000, 1)
        facts = {"method": method, "path": path, "status": exchange.status, "duration_ms": duration_ms}
        if FAULT in exchange.scope:
            facts["fault"] = exchange.scope[FAULT]
        log.info("request", extra={"facts": facts})


def _readable_headers(scope: Scope) -> dict[str, str]:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    if "authorization" in headers:
        headers["authorization"] = f"{headers['authorization'][:17]}..."  # which kind of token, not the token
    return headers


def _keep(kept: bytearray, part: bytes) -> None:
    kept.extend(part[: max(0, KEPT_BODY_BYTES - len(kept))])


def recorded(database: Database, limit: int = 200) -> list[dict[str, Any]]:
    """The newest first."""
    rows = database.rows("SELECT * FROM requests ORDER BY seq DESC LIMIT ?", (limit,))
    return [{**dict(row), "headers": json.loads(row["headers"])} for row in rows]
