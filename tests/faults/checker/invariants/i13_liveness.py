"""I13: after the last fault everything comes to rest in time, and nothing stands still that has work to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from tests.faults.checker.facts import Facts
from tests.faults.checker.history import Sample
from tests.faults.checker.reading import READINGS, is_dead_letter, is_retry
from tests.faults.checker.verdict import Finding, Violation, violation

BEGUN = ("creating", "requested", "calling")
"""States of payments between an intent and its end; `pending` is the provider's to end."""

PROVIDERS = {"payments": ("polar",), "notifications": ("resend",)}


def examine(facts: Facts) -> Finding:
    samples = [sample for sample in facts.samples if sample.invariant == "I13"]
    return Finding.of(
        len(facts.committed) + len(samples),
        [*_not_at_rest(facts), *_late(facts), *_behind(facts), *_unfinished(facts), *_idle(facts, samples)],
    )


def _not_at_rest(facts: Facts) -> Iterator[Violation]:
    if facts.run.drained_at is None:
        yield violation("never came to rest")
    for service in facts.databases:
        waiting = facts.table(service, "outbox")
        if waiting:
            yield violation("outbox not empty", service=service, rows=len(waiting), oldest=waiting[0]["created_at"])


def _late(facts: Facts) -> Iterator[Violation]:
    run = facts.run
    if run.last_fault_at and run.drained_at:
        took = (run.drained_at - run.last_fault_at).total_seconds()
        if took > run.rules.drain_seconds:
            yield violation("came to rest late", seconds=round(took, 1), allowed=run.rules.drain_seconds)


def _behind(facts: Facts) -> Iterator[Violation]:
    """A retry tier may hold what is not due; what is overdue there is the business of I8."""
    topics: dict[str, set[str]] = {}
    for one in READINGS:
        topics.setdefault(one.group, set()).add(one.topic)
    topics |= {topic: {topic} for topic, _ in facts.ends if is_dead_letter(topic)}
    for group, names in topics.items():
        offsets = facts.committed.get(group, {})
        lag = sum(end - offsets.get(place, 0) for place, end in facts.ends.items() if place[0] in names)
        if lag > 0:
            yield violation("group behind", group=group, records=lag)


def _unfinished(facts: Facts) -> Iterator[Violation]:
    for table in ("payment_attempts", "refunds"):
        for row in facts.table("payments", table):
            if row["state"] in BEGUN:
                yield violation("intent without an end", table=table, id=row["id"], state=row["state"])
    retried = {record.id for record in facts.records if is_retry(record.topic)}
    told = {
        str(r.body.get("email_id")): r.id for r in facts.on("notification.events") if r.type == "notification.queued.v1"
    }
    for row in facts.table("notifications", "emails"):
        if row["state"] == "queued" and told.get(row["id"]) not in retried:
            yield violation("mail left in the queue", email_id=row["id"], kind=row["kind"])


def _idle(facts: Facts, samples: list[Sample]) -> Iterator[Violation]:
    """By the live watch: the same front of the line, second after second, and no fault of what this worker needs to excuse it."""
    idle, heals = timedelta(seconds=facts.run.rules.idle_seconds), facts.run.rules.heals_seconds
    since: dict[str, tuple[object, datetime]] = {}
    told: set[str] = set()
    for sample in sorted(samples, key=lambda one: one.at):
        fronts = _fronts(sample.state)
        for worker in since.keys() - fronts.keys():
            del since[worker]
        for worker, front in fronts.items():
            known, at = since.get(worker, (None, sample.at))
            if known != front or facts.was_under_fault(sample.at, sample.at, heals, *_needed_by(worker)):
                since[worker] = (front, sample.at)
            elif sample.at - at > idle and worker not in told:
                told.add(worker)
                yield violation("idle with work waiting", worker=worker, since=at, front=front)


def _needed_by(worker: str) -> tuple[str, ...]:
    """`worker` is `payments relay`, `payments.projections group`."""
    service = worker.partition(" ")[0].partition(".")[0]
    return (service, "kafka", *PROVIDERS.get(service, ()))


def _fronts(state: Mapping[str, object]) -> dict[str, object]:
    fronts = state.get("fronts")
    return dict(fronts) if isinstance(fronts, dict) else {}
