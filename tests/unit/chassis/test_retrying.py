from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from aiokafka import ConsumerRecord
from asyncpg import DeadlockDetectedError, TooManyConnectionsError, UniqueViolationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from services.chassis.database import NoDatabase
from services.chassis.retrying import (
    Fatal,
    Ladder,
    NotTried,
    Transient,
    first_headers,
    is_database_away,
    next_hop,
    scrub,
)

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
LADDER = Ladder("payments")


def record(*headers: tuple[str, bytes], value: bytes | None = b"{}") -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord(
        topic="booking.events",
        partition=3,
        offset=42,
        timestamp=1_764_331_200_000,
        timestamp_type=0,
        key=b"b1",
        value=value,
        checksum=None,
        serialized_key_size=2,
        serialized_value_size=2,
        headers=headers,
    )


def hop(error: Exception, attempts_before: int = 0) -> str:
    headers = [("x-attempt", str(attempts_before).encode())] if attempts_before else []
    return next_hop(record(*headers), error, LADDER, NOW).topic


BUSY = Transient("the provider is busy")


@pytest.mark.parametrize("attempts_before", [0, 26, 27])
@pytest.mark.parametrize(
    ("retry_after", "topic"),
    [
        (None, "payments.retry.1m"),
        (timedelta(seconds=1), "payments.retry.5s"),
        (timedelta(seconds=59), "payments.retry.5s"),
        (timedelta(seconds=60), "payments.retry.1m"),
        (timedelta(minutes=59), "payments.retry.10m"),
        (timedelta(hours=14), "payments.retry.1h"),
    ],
)
def test_what_was_not_tried_waits_as_long_as_it_is_told_and_never_dies(
    retry_after: timedelta | None, topic: str, attempts_before: int
) -> None:
    assert hop(NotTried("the quota is used up", retry_after), attempts_before) == topic


@pytest.mark.parametrize(
    ("attempts_before", "topic"),
    [
        (0, "payments.retry.5s"),
        (1, "payments.retry.5s"),
        (2, "payments.retry.1m"),
        (3, "payments.retry.1m"),
        (4, "payments.retry.10m"),
        (6, "payments.retry.10m"),
        (7, "payments.retry.1h"),
        (26, "payments.retry.1h"),
        (27, "payments.dlt"),
        (99_999, "payments.dlt"),
    ],
)
def test_a_transient_failure_climbs_the_ladder(attempts_before: int, topic: str) -> None:
    assert hop(BUSY, attempts_before) == topic


@pytest.mark.parametrize(
    ("error", "topic"),
    [
        (Fatal("does not parse"), "payments.dlt"),
        (ValueError("a bug"), "payments.dlt"),
        (UniqueViolationError("a bug too"), "payments.dlt"),
        (TimeoutError(), "payments.retry.5s"),
        (ConnectionResetError(), "payments.retry.5s"),
        (DeadlockDetectedError("deadlock"), "payments.retry.5s"),
        (Transient("429", retry_after=timedelta(seconds=7)), "payments.retry.1m"),
        (Transient("429", retry_after=timedelta(minutes=10)), "payments.retry.10m"),
        (Transient("quota", retry_after=timedelta(days=2)), "payments.retry.1h"),
    ],
)
def test_the_first_hop_follows_the_kind_of_failure(error: Exception, topic: str) -> None:
    assert hop(error) == topic


@pytest.mark.parametrize("attempt", [b"", b"\xff", b"-1", b"many", b"123456"])
def test_an_attempt_that_is_no_number_is_not_ours(attempt: bytes) -> None:
    assert next_hop(record(("x-attempt", attempt)), BUSY, LADDER, NOW).topic == "payments.retry.5s"


def test_the_first_failure_says_where_the_record_came_from() -> None:
    headers = first_headers(next_hop(record(("ce_id", b"e1")), BUSY, LADDER, NOW).headers)
    assert headers == {
        "ce_id": b"e1",
        "x-original-topic": b"booking.events",
        "x-original-partition": b"3",
        "x-original-offset": b"42",
        "x-original-timestamp": b"1764331200000",
        "x-first-failure-at": b"2026-11-28T12:00:00.000000Z",
        "x-attempt": b"1",
        "x-error-class": b"Transient",
        "x-error-message": b"the provider is busy",
    }


def test_a_later_failure_keeps_the_origin_and_renews_the_error() -> None:
    first = next_hop(record(("ce_id", b"e1")), BUSY, LADDER, NOW)
    again = record(*((name, value or b"") for name, value in first.headers))
    headers = next_hop(again, Fatal("gone"), LADDER, NOW + timedelta(hours=1)).headers
    assert len(headers) == len({name for name, _ in headers}), "no header is there twice"
    found = first_headers(headers)
    assert found["x-first-failure-at"] == b"2026-11-28T12:00:00.000000Z"
    assert (found["x-attempt"], found["x-error-class"]) == (b"2", b"Fatal")


def test_headers_that_are_not_ours_travel_as_they_came() -> None:
    strange: tuple[tuple[str, Any], ...] = (("h", b"\xff\xfe"), ("h", b"twice"), ("empty", None))
    assert next_hop(record(*strange), BUSY, LADDER, NOW).headers[:3] == strange


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (NoDatabase("gaierror"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"), True),
        (PoolTimeoutError("QueuePool limit of size 10 overflow 10 reached"), True),
        (asyncpg.InvalidPasswordError("no"), True),
        (asyncpg.ReadOnlySQLTransactionError("failover"), True),
        (asyncpg.DiskFullError("full"), True),
        (ConnectionRefusedError(), False),  # a provider's: ours is told apart where it is connected to
        (InterfaceError("connection is closed", None, Exception()), True),
        (TooManyConnectionsError("full"), True),
        (OperationalError("SELECT 1", None, TooManyConnectionsError("full")), True),
        (TimeoutError(), False),
        (DeadlockDetectedError("deadlock"), False),
        (ValueError("a bug"), False),
    ],
)
def test_our_own_database_being_away_is_told_apart(error: Exception, *, away: bool) -> None:
    assert is_database_away(error) is away


def test_an_error_message_carries_no_address_and_no_token_and_is_short() -> None:
    message = scrub("ana.ruiz@club.example sent polar_oat_abc123 and eyJhbGciOi.eyJzdWIiOi.c2ln " + "x" * 5000)
    assert message.startswith("*** sent *** and *** xxx")
    assert len(message) == 1024


def test_a_test_may_shorten_the_waits_but_not_the_ladder() -> None:
    short = LADDER.with_delays((timedelta(0),) * 4)
    assert [tier.name for tier in short.tiers] == [tier.name for tier in LADDER.tiers]
    assert {tier.delay for tier in short.tiers} == {timedelta(0)}
