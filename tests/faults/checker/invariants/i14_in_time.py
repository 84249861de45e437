"""I14: nothing is tried again before it is due, and a hold that is over stands in nobody's way for more than a second."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from tests.faults.checker.claims import WAITED, Claim, blocks, claims
from tests.faults.checker.facts import Facts
from tests.faults.checker.history import Call
from tests.faults.checker.reading import is_dead_letter, is_retry
from tests.faults.checker.records import Record
from tests.faults.checker.verdict import Finding, Violation, violation

SKEW_SECONDS = 0.5
"""Between the broker's stamp and the clock of the host that waits: one machine, read twice."""
CLOCK_FAULT = 36
OUTLIVED = timedelta(seconds=1)
TAKEN = "slot-already-taken"


def examine(facts: Facts) -> Finding:
    told: dict[str, list[Claim]] = defaultdict(list)
    for claim in (*claims(facts.events), *blocks(facts.on("court.events"))):
        told[claim.court_id].append(claim)
    refused = [call for call in facts.history if call.op == "hold" and call.is_refused and call.problem == TAKEN]
    ladders, judged = _ladders(facts), [call for call in refused if _span(call)]
    return Finding.of(
        len(ladders) + len(judged),
        [*_early(facts, ladders), *(each for call in judged for each in _in_the_way(call, told))],
    )


def _ladders(facts: Facts) -> dict[tuple[str, str], list[Record]]:
    """By service and event, all copies on the ladder and among the dead letters."""
    found: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in facts.records:
        if (is_retry(record.topic) or is_dead_letter(record.topic)) and record.id:
            found[record.topic.split(".")[0], record.id].append(record)
    return found


def _early(facts: Facts, ladders: dict[tuple[str, str], list[Record]]) -> Iterator[Violation]:
    """A failure number n + 1 needs that the wait after number n was over. Dead letters bear their producer's time, which is later.

    A copy that was written later is of another life of the record: it was redriven, or heard again after its offsets were set back.
    """
    skew = max(
        [SKEW_SECONDS, *(float(f.details.get("skew_seconds", 3600)) for f in facts.faults if f.row == CLOCK_FAULT)]
    )
    for (service, event), copies in ladders.items():
        waits = [copy for copy in copies if is_retry(copy.topic)]
        for copy in copies:
            before = [one for one in waits if one.attempt == copy.attempt - 1 and one.at <= copy.at]
            due = min((_due(facts, one) for one in before), default=None)
            if due and copy.at < due - timedelta(seconds=skew):
                yield violation(
                    "retried too early", service=service, id=event, attempt=copy.attempt, due=due, at=copy.at
                )


def _due(facts: Facts, record: Record) -> datetime:
    delay = facts.run.rules.retry_delay_seconds.get(record.topic.rpartition(".")[2], 0)
    return record.at + timedelta(seconds=delay)


def _in_the_way(call: Call, told: Mapping[str, Sequence[Claim]]) -> Iterator[Violation]:
    span = _span(call)
    if span is None:
        return
    court_id, starts_at, ends_at = span
    standing = [
        claim for claim in told.get(court_id, ()) if claim.meets(court_id, starts_at, ends_at) and _lived(claim, call)
    ]
    if not standing:
        yield violation("refused though nobody has it", **call.shown)
    elif all(_is_over(claim, call) for claim in standing):
        yield violation("hold that outlived its end", booking_id=standing[0].booking_id, **call.shown)


def _span(call: Call) -> tuple[str, datetime, datetime] | None:
    """What was asked for, as the refusal repeats it."""
    answer = call.answer if isinstance(call.answer, dict) else {}
    if not {"court_id", "starts_at", "ends_at"} <= answer.keys():
        return None
    return answer["court_id"], datetime.fromisoformat(answer["starts_at"]), datetime.fromisoformat(answer["ends_at"])


def _lived(claim: Claim, call: Call) -> bool:
    """Perhaps, while the call went on. A claim that ends lives until its transaction does."""
    return claim.since - WAITED <= call.completed_at and call.invoked_at <= claim.until + WAITED


def _is_over(claim: Claim, call: Call) -> bool:
    """A hold, over by then, and nobody has paid for it: a claim that was paid for has another one behind it, of the same booking."""
    return claim.hold_ends_at is not None and claim.hold_ends_at + OUTLIVED < call.invoked_at
