"""From a plan that fails to the fewest faults with which it still fails: delta debugging (Zeller and Hildebrandt, 2002)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from tests.faults.plan.plan import Plan

Fails = Callable[[Plan], Awaitable[bool]]


async def shrunk(plan: Plan, fails: Fails) -> Plan:
    """`plan` fails. A storm is never twice the same, so one that happens not to fail keeps its faults."""
    kept = list(range(len(plan.faults)))
    parts = 2
    while len(kept) > 1:
        for part in _parts(kept, parts):
            rest = [number for number in kept if number not in part]
            if await fails(_only(plan, rest)):
                kept, parts = rest, max(2, parts - 1)
                break
        else:
            if parts >= len(kept):
                break
            parts = min(len(kept), parts * 2)
    return _only(plan, kept)


def _only(plan: Plan, kept: Sequence[int]) -> Plan:
    return plan.without(set(range(len(plan.faults))) - set(kept))


def _parts(numbers: Sequence[int], count: int) -> list[Sequence[int]]:
    ends = [len(numbers) * part // count for part in range(count + 1)]
    return [numbers[begin:end] for begin, end in pairwise(ends) if begin < end]
