"""How much the run had to bear, and how it went."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tests.faults.checker.facts import Facts
from tests.faults.checker.invariants.i12_errors import healthy, is_a_providers, percentile
from tests.faults.checker.reading import is_dead_letter, is_retry
from tests.faults.checker.records import Record


def figures(facts: Facts) -> Mapping[str, Any]:
    return {
        "seed": facts.run.seed,
        "commit": facts.run.commit,
        **_played(facts),
        **_told(facts),
        **_money(facts),
        **_times(facts),
    }


def _played(facts: Facts) -> dict[str, Any]:
    hit = [fault for fault in facts.faults if fault.hit]
    kinds = Counter(fault.came_to for fault in hit)
    return {
        "bookings": len(facts.bookings),
        "confirmed": sum(
            any(r.type == "booking.confirmed.v1" for r in each.values()) for each in facts.events.values()
        ),
        "calls": len(facts.history),
        "calls_by_outcome": dict(Counter(call.outcome for call in facts.history)),
        "faults": len(hit),
        "faults_in_vain": len(facts.faults) - len(hit),
        "fault_kinds": len(kinds),
        "faults_by_kind": dict(sorted(kinds.items())),
    }


def _told(facts: Facts) -> dict[str, Any]:
    main = [record for record in facts.records if not is_retry(record.topic) and not is_dead_letter(record.topic)]
    return {
        "events": len({(record.topic, record.id) for record in main}),
        "duplicates_absorbed": len(main) - len({(record.topic, record.id) for record in main}),
        "retries": sum(is_retry(record.topic) for record in facts.records),
        "dead_letters": sum(is_dead_letter(record.topic) for record in facts.records),
        "poison": len(facts.poison),
        "mails": len(facts.resend.mails),
    }


def _money(facts: Facts) -> dict[str, Any]:
    kinds = Counter(entry["kind"] for entry in facts.polar.ledger)
    return {
        "charges": kinds["charge"],
        "refunds": kinds["refund"],
        "reversals": kinds["reversal"],
        "balance_minor": sum(order.balance_minor for order in facts.orders.values()),
        "orders_left_to_a_person": len(facts.left_to_a_person),
    }


def _times(facts: Facts) -> dict[str, Any]:
    run, ours = facts.run, [call for call in facts.history if not is_a_providers(call)]
    took = healthy(facts, ours)
    ended = max((fault.ended_at for fault in facts.faults), default=None)
    return {
        "samples": len(facts.samples),
        "at_rest_s_after_the_last_fault": round((run.drained_at - ended).total_seconds(), 1)
        if run.drained_at and ended
        else None,
        "drained_in_s": round((run.drained_at - run.last_fault_at).total_seconds(), 1)
        if run.drained_at and run.last_fault_at
        else None,
        "healthy_p50_ms": round(percentile(took, 0.5), 1) if took else None,
        "healthy_p99_ms": round(percentile(took, 0.99), 1) if took else None,
        "event_to_log_p99_ms": _event_to_log_ms(facts.records),
    }


def _event_to_log_ms(records: list[Record]) -> float | None:
    """From the fact to its record, by the clocks of the database and of the relay: one machine."""
    took = sorted(
        (record.at - record.time).total_seconds() * 1000 for record in records if record.topic == "booking.events"
    )
    return round(percentile(took, 0.99), 1) if took else None
