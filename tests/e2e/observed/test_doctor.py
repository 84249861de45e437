"""`courtside doctor`, as an operator types it."""

from __future__ import annotations

import pytest

from tests.e2e.observed.conftest import Observed

pytestmark = pytest.mark.slow  # each word of the command is a process of its own

CHECKS = {"database", "migrations", "clock", "kafka", "topics", "outbox", "consumers", "dead letters"}


async def test_a_system_that_is_well_has_nothing_to_do(observed: Observed) -> None:
    await observed.recovers()
    code, findings = await observed.doctor()
    assert code == 0
    assert {one["level"] for one in findings} == {"ok"}
    assert {one["todo"] for one in findings} == {""}
    for service in ("booking", "payments", "notifications"):
        assert {one["check"] for one in findings if one["where"] == service} >= CHECKS
    assert ("broker", "topics") in {(one["where"], one["check"]) for one in findings}


async def test_who_does_not_answer_is_named_with_what_to_do(observed: Observed) -> None:
    code, findings = await observed.doctor("--at", "booking=http://127.0.0.1:9")
    (silent,) = (one for one in findings if one["where"] == "booking")
    assert (code, silent["level"], silent["check"]) == (1, "fail", "process")
    assert "--at" in silent["todo"]
