"""`/livez`: the loop turns, and the consumers get on with their work. `/readyz`: this process can do its work, dependency by
dependency. `/metrics`: for Prometheus.

Kafka and the providers may be away: then a check warns and the process stays ready, since the outbox holds what waits.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from courtside_contracts.envelope import rfc3339
from services.chassis import migrations
from services.chassis.breaker import Breaker
from services.chassis.clock import DatabaseClock
from services.chassis.database import UNREACHABLE, Database
from services.chassis.isolating import Faults
from services.chassis.settings import Settings

MEDIA_TYPE = "application/health+json"
CHECK_SECONDS = 1.0
PATIENCE_SECONDS = 15.0
"""So long may a check have no answer before it fails: every process of a busy machine is slow, and to take all of them out of service
would be an outage of the probe's making. What is refused fails at once.
"""
OUTBOX_AGE_WARN_SECONDS = 30.0
CLOCK_SKEW_WARN_SECONDS = 2.0
"""A token is refused when it seems to come from the future."""

UNDEFINED_TABLE = "42P01"

Status = Literal["pass", "warn", "fail"]


class NotMigrated(Exception):
    """Code that is newer than its database."""


class Degraded(Exception):
    """Raised by a probe that cannot say now: a warning, whatever the check's severity."""


@dataclass
class Check:
    """`severity` is what a failing check makes of the whole: `fail` takes the process out of service, `warn` only tells. One that is only
    slow warns for a while.
    """

    probe: Callable[[], Awaitable[str]]
    severity: Literal["warn", "fail"]
    _status: Status | None = field(default=None, init=False)
    _since: datetime = field(default_factory=lambda: datetime.now(UTC), init=False)
    _silent_since: float = field(default=-math.inf, init=False)
    """By the monotonic clock: the first question that had no answer, of those since the last answer. Before the first answer, for ever."""

    async def run(self) -> dict[str, Any]:
        started = time.perf_counter()
        status: Status = "pass"
        try:
            output = await self._answer()
        except Degraded as error:
            status, output = "warn", str(error)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it is the answer
            status, output = self.severity, str(error) or type(error).__name__
        observed = round((time.perf_counter() - started) * 1000, 1)
        told = {"status": status, "output": output, "observedValue": observed, "observedUnit": "ms"}
        return told | {"time": rfc3339(datetime.now(UTC)), "since": rfc3339(self._note(status))}

    async def _answer(self) -> str:
        asked_at, limit = time.monotonic(), asyncio.timeout(CHECK_SECONDS)
        try:
            async with limit:
                output = await self.probe()
        except TimeoutError:
            self._silent_since = min(self._silent_since, asked_at)
            if limit.expired() and asked_at < self._silent_since + PATIENCE_SECONDS:
                raise Degraded(f"slow: no answer within {CHECK_SECONDS:.0f} s") from None
            raise
        self._silent_since = math.inf
        return output

    def _note(self, status: Status) -> datetime:
        """Since when it is so, as far as anybody has asked."""
        if status != self._status:
            self._status, self._since = status, datetime.now(UTC)
        return self._since


UNKNOWN = "not known: the database does not answer"
"""Of whatever is asked of it, beside the check of the database itself: one trouble, told once."""


@asynccontextmanager
async def _connected(database: Database) -> AsyncIterator[AsyncConnection]:
    """Raises `Degraded` while the database lets nobody in, or says nothing."""
    try:
        async with asyncio.timeout(CHECK_SECONDS / 2):
            connection = await database.health.connect()
    except (*UNREACHABLE, SQLAlchemyError) as error:
        raise Degraded(UNKNOWN) from error
    try:
        yield connection
    finally:
        await connection.close()


def database_check(database: Database) -> Check:
    async def probe() -> str:
        async with database.health.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return "answers"

    return Check(probe, "fail")


def outbox_check(database: Database) -> Check:
    async def probe() -> str:
        async with _connected(database) as connection:
            found = text("SELECT extract(epoch FROM clock_timestamp() - created_at) FROM outbox ORDER BY seq LIMIT 1")
            age = float((await connection.execute(found)).scalar() or 0)
        if age > OUTBOX_AGE_WARN_SECONDS:
            raise TimeoutError(f"the oldest event waits for {age:.0f} s: is the broker away, or no worker running?")
        return f"oldest event {age:.1f} s"

    return Check(probe, "warn")


def consumers_check(started: asyncio.Event, faults: Faults) -> Check:
    async def probe() -> str:
        if not started.is_set():
            raise ConnectionError("consumers have not started: they wait for the database's migration, or the broker")
        faults.require_none()
        return "started"

    return Check(probe, "warn")


def provider_check(breaker: Breaker) -> Check:
    async def probe() -> str:
        breaker.require_closed()
        return "answers, as far as it was asked"

    return Check(probe, "warn")


def clock_check(clock: DatabaseClock) -> Check:
    async def probe() -> str:
        if abs(clock.skew_seconds) > CLOCK_SKEW_WARN_SECONDS:
            raise Degraded(
                f"this host's clock is {clock.skew_seconds:+.1f} s off the database's: is NTP running on both?"
            )
        return f"{clock.skew_seconds:+.3f} s off the database's"

    return Check(probe, "warn")


def letters_check(database: Database) -> Check:
    async def probe() -> str:
        async with _connected(database) as connection:
            count = text("SELECT count(*) FROM (SELECT FROM dead_letters WHERE state = 'open' LIMIT 1000) AS open")
            found = int((await connection.execute(count)).scalar() or 0)
        if found:
            raise Degraded(f"{found} wait for a decision: see `courtside dead-letters groups`")
        return "none is open"

    return Check(probe, "warn")


def migrations_check(database: Database, settings: Settings) -> Check:
    """A database that is ahead is a deployment under way: its migrations suit the code before, too. One that is behind does not do, and
    one that is far enough stays so: it is not asked again.
    """
    passed: list[str] = []

    async def probe() -> str:
        if not passed:
            async with _connected(database) as connection:
                passed.append(await fitting_revision(connection, settings.service))
        return f"at {passed[0]}, or newer"

    return Check(probe, "fail")


async def fitting_revision(connection: AsyncConnection, service: str) -> str:
    """Where the database is. Raises `NotMigrated`."""
    newest, *behind = await asyncio.to_thread(migrations.revisions, service)
    found = await _revision(connection)
    if found is None or found in behind:
        at = f"at {found}" if found else "empty"
        raise NotMigrated(f"the database is {at}, this process needs {newest}: run `migrate` of this version")
    return found


async def _revision(connection: AsyncConnection) -> str | None:
    try:
        found: str | None = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != UNDEFINED_TABLE:
            raise
        return None
    return found


router = APIRouter(include_in_schema=False)


@router.get("/livez")
async def livez(request: Request) -> Response:
    stalled: asyncio.Event = request.app.state.stalled
    status: Status = "fail" if stalled.is_set() else "pass"
    return JSONResponse({"status": status}, 503 if stalled.is_set() else 200, media_type=MEDIA_TYPE)


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    checks: Mapping[str, Check] = request.app.state.checks
    results = dict(zip(checks, await asyncio.gather(*(check.run() for check in checks.values())), strict=True))
    found = {result["status"] for result in results.values()}
    status = "fail" if "fail" in found else "warn" if "warn" in found else "pass"
    body = {"status": status, "checks": {name: [result] for name, result in results.items()}}
    return JSONResponse(body, 503 if status == "fail" else 200, media_type=MEDIA_TYPE)


@router.get("/metrics")
async def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
