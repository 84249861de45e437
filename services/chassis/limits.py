"""How often a user, and an address, may ask: buckets that all API processes share in one table.

Each bucket is one instant, at which it is full again (the generic cell rate algorithm): a hit moves it on by a step of
`60 s / limit`, and is refused when it would lie more than a minute ahead. So there is no edge of a window at which twice the limit
passes. One statement before the request's own work takes from all its buckets at once, and from those of all requests that wait at that
moment: one round trip at most, 0.2 ms on a near database, never within the request's transaction. The library `limits` would take six for
two buckets with their headers: it asks its storage for hit, count and expiry one by one.

A table that cannot be reached limits nobody: whoever can book may book.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

import asyncpg
import structlog
from fastapi import Request
from prometheus_client import Counter
from sqlalchemy import Column, DateTime, MetaData, Table, Text, delete, func, select

from services.chassis.auth import Caller
from services.chassis.database import NAMING, Database
from services.chassis.gathering import Gathering
from services.chassis.http import add_headers
from services.chassis.problems import TooManyRequests
from services.chassis.settings import Settings
from services.chassis.unit_of_work import UnitOfWork

log = structlog.get_logger()

WINDOW_SECONDS = 60
PATIENCE_SECONDS = 2.0
"""For a connection; the statement then has the server's `lock_timeout`. Long enough for a burst on a cold pool: that is when a limit is
wanted. The statement is never cancelled from here: a stateless connection, cancelled between parsing and running it, would keep the
table's lock until its next use."""
TOGETHER = 100
"""Requests of one statement: more than wait, as long as the database answers."""
PURGE_BATCH = 10_000
READS = ("GET", "HEAD", "OPTIONS")

METADATA = MetaData(naming_convention=NAMING)

rate_limits = Table(
    "rate_limits",
    METADATA,
    Column("key", Text, primary_key=True),
    Column("full_at", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],  # forgotten when the server crashes, and cheap otherwise
)

TAKE = """
INSERT INTO rate_limits AS bucket (key, full_at)
SELECT key, now() + make_interval(secs => step) FROM unnest($1::text[], $2::float8[]) AS hit (key, step) ORDER BY key
ON CONFLICT (key) DO UPDATE SET full_at = CASE
    WHEN bucket.full_at + (excluded.full_at - now()) > now() + make_interval(secs => $3) THEN bucket.full_at
    ELSE greatest(bucket.full_at, now()) + (excluded.full_at - now())
END
RETURNING new.key, coalesce(old.full_at = new.full_at, false), extract(epoch FROM new.full_at - now())::float8
"""
"""Ordered by key, so that two requests that share both buckets cannot lock each other out."""

REFUSED = Counter("courtside_rate_limited_total", "Requests refused by a limit", ["limit"])


Hits: TypeAlias = tuple[tuple[str, float], ...]
"""Of one request: keys, and the seconds by which each moves its bucket on."""


@dataclass(frozen=True)
class Limit:
    name: str
    per_minute: int

    @property
    def step_seconds(self) -> float:
        return WINDOW_SECONDS / self.per_minute

    @property
    def policy(self) -> str:
        return f'"{self.name}";q={self.per_minute};w={WINDOW_SECONDS}'


@dataclass(frozen=True)
class Taken:
    limit: Limit
    refused: bool
    full_in_seconds: float

    @property
    def state(self) -> str:
        left = 0 if self.refused else (WINDOW_SECONDS - self.full_in_seconds) // self.limit.step_seconds
        return f'"{self.limit.name}";r={max(0, int(left))};t={math.ceil(self.full_in_seconds)}'

    @property
    def retry_after_seconds(self) -> int:
        return max(1, math.ceil(self.full_in_seconds + self.limit.step_seconds - WINDOW_SECONDS))


async def by_user(request: Request, caller: Caller) -> None:
    """For routes with a bearer token: the user's limit for reads or writes, and the address's."""
    settings = _settings(request)
    reads = request.method in READS
    limit = Limit("user-reads", settings.user_reads) if reads else Limit("user-writes", settings.user_writes)
    await _enforce(request, {f"{limit.name} {caller.user_id}": limit, **_of_address(request)})


async def by_address(request: Request) -> None:
    """For routes that anybody may call."""
    await _enforce(request, _of_address(request))


async def purge(work: UnitOfWork) -> int:
    """One batch of buckets that are full: they limit no more than none would."""
    full = select(rate_limits.c.key).where(rate_limits.c.full_at < func.now()).limit(PURGE_BATCH)
    gone = delete(rate_limits).where(rate_limits.c.key.in_(full.with_for_update(skip_locked=True)))
    return len((await work.session.execute(gone.returning(rate_limits.c.key))).all())


async def _enforce(request: Request, limits: Mapping[str, Limit]) -> None:
    wanted = {key: limit for key, limit in limits.items() if limit.per_minute}
    taken = await _buckets(request).take(wanted) if wanted else []
    if not taken:
        return
    policies = ", ".join(one.limit.policy for one in taken)
    add_headers(request, {"RateLimit-Policy": policies, "RateLimit": ", ".join(one.state for one in taken)})
    refused = [one for one in taken if one.refused]
    for one in refused:
        REFUSED.labels(one.limit.name).inc()
    if refused:
        seconds = max(one.retry_after_seconds for one in refused)
        raise TooManyRequests(
            f"At most {refused[0].limit.per_minute} requests a minute ({refused[0].limit.name}). Go on in {seconds} s.",
            headers={"Retry-After": str(seconds)},
            limit=refused[0].limit.name,
        )


class Buckets:
    """Those of this process: requests that come together take together, and two that share a bucket one after the other."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._gathering = Gathering(self._take, _keys, TOGETHER)

    async def take(self, limits: Mapping[str, Limit]) -> list[Taken]:
        """From each of these buckets. None at all when the table cannot be reached."""
        found = await self._gathering.answer(tuple((key, limit.step_seconds) for key, limit in limits.items()))
        return [Taken(limits[key], refused, full_in) for key, refused, full_in in found]

    async def _take(self, hits: Sequence[Hits]) -> list[list[asyncpg.Record]]:
        asked = [hit for request in hits for hit in request]
        keys, steps = [key for (key, _) in asked], [step for (_, step) in asked]
        try:
            async with self._database.pool.acquire(timeout=PATIENCE_SECONDS) as connection:
                rows = {row[0]: row for row in await connection.fetch(TAKE, keys, steps, float(WINDOW_SECONDS))}
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:  # a time-out is an OSError
            log.warning("rate limits not applied", error=type(error).__name__)
            return [[] for _ in hits]
        return [[rows[key] for key, _ in request] for request in hits]


def _keys(hits: Hits) -> set[str]:
    return {key for key, _ in hits}


def _buckets(request: Request) -> Buckets:
    """Made for the first request that is limited."""
    state = request.app.state
    if not hasattr(state, "buckets"):
        state.buckets = Buckets(state.chassis.database)
    return cast("Buckets", state.buckets)


def _of_address(request: Request) -> dict[str, Limit]:
    limit = Limit("address", _settings(request).address_requests)
    return {f"address {network(request.client.host)}": limit} if request.client else {}


def network(host: str) -> str:
    """An IPv6 user has a whole /64 to ask from."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host  # noqa: PLR2004


def _settings(request: Request) -> LimitsPerMinute:
    return LimitsPerMinute.of(cast("Settings", request.app.state.settings))


@dataclass(frozen=True)
class LimitsPerMinute:
    """0 is no limit."""

    user_writes: int
    user_reads: int
    address_requests: int

    @classmethod
    def of(cls, settings: Settings) -> LimitsPerMinute:
        """What is not set has its default, and none under test: a test asks more often than any player."""
        told = (settings.user_writes_per_minute, settings.user_reads_per_minute, settings.address_requests_per_minute)
        default = cls(0, 0, 0) if settings.environment == "test" else cls(30, 300, 600)
        fallback = (default.user_writes, default.user_reads, default.address_requests)
        return cls(*(own if value is None else value for value, own in zip(told, fallback, strict=True)))
