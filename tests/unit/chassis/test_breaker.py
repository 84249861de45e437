from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from services.chassis.breaker import Breaker, State
from services.chassis.retrying import Fatal, Ladder, NotTried, Overtaken, Transient, first_headers, next_hop
from tests.unit.chassis.test_retrying import record

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)


def call(breaker: Breaker, error: Exception | None = None) -> None:
    """One record and its one call."""
    with breaker.admission(), breaker.calling():
        if error:
            raise error


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Transient, match="no answer"):
            call(breaker, Transient("no answer"))


def shown(breaker: Breaker) -> float | None:
    return REGISTRY.get_sample_value("courtside_provider_breaker_state", {"provider": breaker.provider})


def broken(*, open_seconds: float) -> Breaker:
    breaker = Breaker("p", failures_to_open=3, open_seconds=open_seconds)
    fail(breaker, 3)
    return breaker


def test_after_so_many_failures_in_a_row_the_provider_is_left_alone() -> None:
    breaker = Breaker("p", failures_to_open=3)
    fail(breaker, 2)
    call(breaker)  # one answer, and the row begins anew
    fail(breaker, 3)
    assert shown(breaker) == State.OPEN
    with pytest.raises(NotTried):
        call(breaker)


def test_a_refusal_is_an_answer() -> None:
    breaker = Breaker("p", failures_to_open=3)
    for _ in range(9):
        fail(breaker)
        with pytest.raises(Fatal):
            call(breaker, Fatal("4xx"))
    assert shown(breaker) == State.CLOSED


def test_what_fails_outside_a_call_is_not_the_providers_fault() -> None:
    breaker = Breaker("p", failures_to_open=3)
    for _ in range(9):
        with pytest.raises(Overtaken), breaker.admission():
            raise Overtaken("no profile yet")
    assert shown(breaker) == State.CLOSED


def test_one_probe_at_a_time_and_its_answer_closes_the_breaker() -> None:
    breaker = broken(open_seconds=0)
    with breaker.admission():
        assert shown(breaker) == State.PROBING
        with pytest.raises(NotTried):
            call(breaker)
        with breaker.calling():
            pass
    assert shown(breaker) == State.CLOSED
    call(breaker)


def test_a_probe_that_fails_opens_it_again_and_one_without_a_call_leaves_the_next_to_probe() -> None:
    breaker = broken(open_seconds=0)
    fail(breaker)
    assert shown(breaker) == State.OPEN
    with breaker.admission():
        pass
    assert shown(breaker) == State.OPEN
    call(breaker)
    assert shown(breaker) == State.CLOSED


@pytest.mark.parametrize("attempts_before", [0, 1, 6, 27, 500])
def test_what_was_not_tried_waits_a_minute_and_counts_no_attempt(attempts_before: int) -> None:
    received = record(("x-attempt", str(attempts_before).encode()))
    for _ in range(3):
        hop = next_hop(received, NotTried("down"), Ladder("payments"), NOW + timedelta(hours=1))
        assert hop.topic == "payments.retry.1m"
        assert first_headers(hop.headers)["x-attempt"] == str(attempts_before).encode()
        received = record(*((name, value or b"") for name, value in hop.headers))
