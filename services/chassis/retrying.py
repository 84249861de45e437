"""What becomes of a record that could not be handled: a retry is data, and its next hop is computed.

    failure ── is_database_away ──► nowhere: the partition waits
            ├─ Overtaken ─────────► here again in a moment, twice; then as any other Transient
            ├─ NotTried ──────────► the second tier, or one for as long as it says, as often as need be: no attempt is counted
            ├─ Transient ─────────► the tier that its attempt number says, dead letters after the last
            └─ anything else ─────► dead letters at once

Handlers raise `Transient` or `Fatal` and never retry themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, repeat

import asyncpg
from aiokafka import ConsumerRecord
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as SQLAlchemyTimeoutError

from courtside_contracts.envelope import Headers, rfc3339
from courtside_contracts.topics import LADDER, Tier, dead_letter_topic, retry_topic
from services.chassis.database import NoDatabase

ERROR_MAX_CHARS = 1_024
"""A header must stay small, and a stack trace belongs in the log."""

ATTEMPT = "x-attempt"
KEY_WAS_NULL = "x-key-was-null"
"""Neither key nor value: no client writes such a record, so an empty key stands for the null."""
VALUE_OMITTED, HEADERS_OMITTED, KEY_OMITTED = "x-value-omitted", "x-headers-omitted", "x-key-omitted"
"""On a dead letter that was too large for its topic: how many bytes were left out."""
OMITTED = (VALUE_OMITTED, HEADERS_OMITTED, KEY_OMITTED)
REDRIVEN_FROM, REDRIVE_COUNT = "x-redriven-from", "x-redrive-count"
_ORIGIN = ("x-original-topic", "x-original-partition", "x-original-offset", "x-original-timestamp")
FAILURE_HEADERS = (
    *("ce_id", "ce_type", *_ORIGIN, "x-first-failure-at", "x-attempt", "x-error-class", "x-error-message"),
    *(REDRIVEN_FROM, REDRIVE_COUNT, VALUE_OMITTED, KEY_WAS_NULL),
)
"""What a dead letter is found and understood by."""

_SECRET = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|eyJ[\w-]+\.[\w-]+\.[\w-]+|(?:polar_oat|re|whsec)_\w+")
_AWAY = re.compile(r"^(08...|28...|3D000|25006|25P03|53...|57P0.|58...)$")
"""SQLSTATE: connection, authentication or database gone, read-only after a failover, no resources, shut down, system error."""
_LOST = asyncpg.InterfaceError | asyncpg.InternalClientError
"""A connection that is closed, or about to be: see `services.chassis.database.UNREACHABLE`."""
_LOSERS = frozenset({"40001", "40P01", "55P03", "57014"})
"""SQLSTATE of a transaction that lost to another: serialization, deadlock, lock and statement time-outs."""


class Failure(Exception):
    """Why a record could not be handled."""


class Transient(Failure):
    """May well work later: a time-out, a 429, a 5xx."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Overtaken(Transient):
    """What it needs travels on another topic and is a few milliseconds behind, as a rule."""


class NotTried(Transient):
    """Put off before anything was done, since it could not succeed now; `retry_after` says until when, if that is known."""


class Fatal(Failure):
    """Will never work: a person must look at it."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """The retry topics of one service, and where a record goes that came to their end."""

    service: str
    tiers: tuple[Tier, ...] = LADDER

    def with_delays(self, delays: tuple[timedelta, ...] | None) -> Ladder:
        """The same topics with other waits."""
        if delays is None:
            return self
        tiers = zip(self.tiers, delays, strict=True)
        return Ladder(self.service, tuple(Tier(tier.name, delay, tier.attempts) for tier, delay in tiers))

    @property
    def dead_letters(self) -> str:
        return dead_letter_topic(self.service).name

    @property
    def waiting_room(self) -> Tier:
        """For what was not even tried: a minute, so that a provider's outage costs few records a second and its end is soon seen."""
        return self.tiers[1]

    def room_for(self, wait: timedelta | None) -> Tier:
        """Where to wait for an end that is known: on the longest tier that does not outlast it."""
        if wait is None:
            return self.waiting_room
        return max(
            (tier for tier in self.tiers if tier.delay <= wait), key=lambda tier: tier.delay, default=self.tiers[0]
        )

    @property
    def longest(self) -> timedelta:
        """From a record's first failure to the dead letters, when each try is made as soon as it is due."""
        return sum((tier.delay * tier.attempts for tier in self.tiers), timedelta(0))

    def steps(self) -> Iterator[Tier]:
        """One tier for each attempt: 5s 5s 1m 1m 10m ..."""
        return chain.from_iterable(repeat(tier, tier.attempts) for tier in self.tiers)

    def topic(self, tier: Tier) -> str:
        return retry_topic(self.service, tier.name).name


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a record goes next, and with which headers."""

    topic: str
    headers: Headers


def next_hop(record: ConsumerRecord[bytes, bytes], error: Exception, ladder: Ladder, now: datetime) -> Hop:
    """Pure. Key and value travel as they were received; only the headers of the failure are added or renewed."""
    tried = not isinstance(error, NotTried)
    attempt = attempt_of(record) + tried
    tier = ladder.room_for(error.retry_after) if isinstance(error, NotTried) else _tier(attempt, error, ladder)
    topic = ladder.topic(tier) if tier else ladder.dead_letters
    return Hop(topic, _with_failure(record, error, attempt, now))


def _tier(attempt: int, error: Exception, ladder: Ladder) -> Tier | None:
    if not is_transient(error):
        return None
    left = list(ladder.steps())[attempt - 1 :]
    wanted = getattr(error, "retry_after", None) or timedelta(0)
    long_enough = (tier for tier in left if tier.delay >= wanted)
    return next(long_enough, left[-1] if left else None)


def is_transient(error: BaseException) -> bool:
    if isinstance(error, Transient | TimeoutError | ConnectionError):
        return True
    return is_busy(error)


def is_database_away(error: BaseException) -> bool:
    """Our own database cannot be reached: then nothing is forwarded, since forwarding would only burn attempts."""
    if isinstance(error, NoDatabase | InterfaceError | SQLAlchemyTimeoutError | _LOST):
        return True
    if isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(_cause(error), _LOST)):
        return True
    return bool(_AWAY.match(_sqlstate(error)))


def _cause(error: DBAPIError) -> BaseException | None:
    """The error of asyncpg, behind the two that SQLAlchemy wraps around it."""
    return error.orig.__cause__ if error.orig else None


def is_busy(error: BaseException) -> bool:
    """Others were in the way for too long: the request may come again."""
    return _sqlstate(error) in _LOSERS


def is_locked_out(error: BaseException) -> bool:
    """Somebody else has one of the rows, and did not let go of it in time."""
    return _sqlstate(error) == "55P03"


def lost_to_another(error: Exception) -> bool:
    """A deadlock or a serialization failure: the same again, at once, will do."""
    return _sqlstate(error) in ("40001", "40P01")


def _sqlstate(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlstate", None) or "")


def attempt_of(record: ConsumerRecord[bytes, bytes]) -> int:
    """How often this record has failed so far. A header that is no number counts as none: it is not ours."""
    for name, value in record.headers:
        if name == ATTEMPT:
            return int(value) if value and value.isdigit() and len(value) < 6 else 0  # noqa: PLR2004 - five digits: far past any ladder
    return 0


def _with_failure(record: ConsumerRecord[bytes, bytes], error: Exception, attempt: int, now: datetime) -> Headers:
    known = first_headers(record.headers)
    place = (record.topic, record.partition, record.offset, record.timestamp)
    origin = {name: str(told).encode() for name, told in zip(_ORIGIN, place, strict=True)}
    origin["x-first-failure-at"] = rfc3339(now).encode()
    renewed = {
        ATTEMPT: str(attempt).encode(),
        "x-error-class": type(error).__name__.encode(),
        "x-error-message": scrub(str(error)).encode(errors="replace"),
    }
    kept = tuple((name, value) for name, value in record.headers if name not in renewed)
    added = tuple((name, value) for name, value in origin.items() if name not in known)
    return (*kept, *added, *renewed.items())


def first_headers(headers: Iterable[tuple[str, bytes | None]]) -> Mapping[str, bytes]:
    """Each header's first value; bytes, since a sender may write anything."""
    found: dict[str, bytes] = {}
    for name, value in headers:
        found.setdefault(name, value or b"")
    return found


def scrub(message: str) -> str:
    """Without addresses, tokens and secrets, and short enough for a header."""
    # Cut before the search too: its cost grows with the square of a long word.
    return _SECRET.sub("***", message[: 2 * ERROR_MAX_CHARS])[:ERROR_MAX_CHARS]
