"""I9: a request that is sent again with its Idempotency-Key is done once, and answered the same each time."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from tests.faults.checker.facts import Facts
from tests.faults.checker.history import Call
from tests.faults.checker.verdict import Finding, Violation, violation

KEPT = ("hold", "cancel", "reschedule", "block")
"""Operations of which the whole answer is kept; others keep it without its secrets."""
SAYS_NOTHING = (401, 409, 422, 429)
"""The token ran out, the first is still under way, the key came with another request, too many requests."""


def examine(facts: Facts) -> Finding:
    groups: dict[tuple[str | None, str], list[Call]] = defaultdict(list)
    for call in facts.history:
        if call.key and call.op in KEPT:
            groups[call.user, call.key].append(call)
    kept = {
        (row["user_id"], row["key"]): row for name in facts.databases for row in facts.table(name, "idempotency_keys")
    }
    found = [each for key, calls in groups.items() for each in _of_key(calls, kept.get((str(key[0]), key[1])))]
    return Finding.of(len(groups), found)


def _of_key(calls: Sequence[Call], row: Any) -> Iterator[Violation]:
    ok = [call for call in calls if call.is_ok]
    if not ok:
        return
    first = min(ok, key=lambda call: call.completed_at)
    for call in calls:
        if call.arguments != first.arguments or call.op != first.op:
            if call.is_ok:
                yield violation("key taken for another request", **call.shown)
        elif call.is_ok and call.answer != first.answer:
            yield violation("another answer", first=_id(first), then=_id(call), **call.shown)
        elif _is_forgotten(call, first):
            yield violation("forgotten key", **call.shown)
    if row is None:
        yield violation("key that was not kept", **first.shown)
    elif json.loads(row["body"]) != first.answer:
        yield violation("another answer was kept", **first.shown)


def _is_forgotten(call: Call, first: Call) -> bool:
    """Refused after it had been done. A conflict by its own first copy, which is still under way, says so by its code."""
    if not call.is_refused or call.invoked_at < first.completed_at:
        return False
    return call.status not in SAYS_NOTHING or call.problem in (
        "slot-already-taken",
        "transition-not-possible",
        "active-booking-limit",
    )


def _id(call: Call) -> Any:
    return call.answer.get("id") if isinstance(call.answer, dict) else None
