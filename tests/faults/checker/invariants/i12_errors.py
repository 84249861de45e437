"""I12: no error of ours reaches a client as one of ours. 503 is an answer while something that we need is down; everything else is refused
with a reason, as a problem document. What we need is the database and booking's own processes: no hold waits for Kafka or a provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tests.faults.checker.facts import Facts
from tests.faults.checker.history import Call
from tests.faults.checker.verdict import Finding, Violation, violation

UNAVAILABLE = 503
MEMBERS = {"type", "title", "status", "code"}
ENOUGH = 100
"""Calls outside of all faults, for a 99th percentile to say anything."""


def examine(facts: Facts) -> Finding:
    ours = [call for call in facts.history if not is_a_providers(call)]
    return Finding.of(len(ours), [*(each for call in ours for each in _of_call(facts, call)), *_slow(facts, ours)])


def is_a_providers(call: Call) -> bool:
    """A player pays on the payment provider's page."""
    return call.op.startswith("pay")


def healthy(facts: Facts, calls: Sequence[Call]) -> list[float]:
    """Milliseconds of the calls that no fault can have touched, in order."""
    heals = facts.run.rules.heals_seconds
    outside = (c for c in calls if c.is_ok and not facts.was_under_fault(c.invoked_at, c.completed_at, heals))
    return sorted(call.seconds * 1000 for call in outside)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def _of_call(facts: Facts, call: Call) -> Iterator[Violation]:
    status = call.status or 0
    if status >= 500 and status != UNAVAILABLE:
        yield violation("server error", **call.shown)
    heals = facts.run.rules.heals_seconds
    if status == UNAVAILABLE and not facts.was_under_fault(call.invoked_at, call.completed_at, heals, "booking"):
        yield violation("unavailable without a fault", **call.shown)
    if status >= 400 and not _is_a_problem(call):
        yield violation("error that is no problem document", **call.shown)


def _is_a_problem(call: Call) -> bool:
    answer = call.answer
    return isinstance(answer, dict) and answer.keys() >= MEMBERS and answer["status"] == call.status


def _slow(facts: Facts, calls: Sequence[Call]) -> Iterator[Violation]:
    limit, took = facts.run.rules.p99_ms, healthy(facts, calls)
    if limit is not None and len(took) >= ENOUGH and percentile(took, 0.99) > limit:
        yield violation("slow", p99_ms=round(percentile(took, 0.99), 1), limit_ms=limit)
