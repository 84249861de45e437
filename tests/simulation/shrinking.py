"""A failing plan with all steps taken out that it does not need to fail: what is left is read in minutes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.simulation.plan import Plan

TRIES_MAX = 400


async def shrink(plan: Plan, fails: Callable[[Plan], Awaitable[bool]], tries_max: int = TRIES_MAX) -> Plan:
    """Ever smaller pieces are left out, from the end on, as long as the plan fails without them. Source: Zeller's delta debugging.

    The last steps go first: what comes after the breach is not needed for it.
    """
    size, tries = max(1, len(plan.steps) // 2), 0
    while tries < tries_max:
        before = len(plan.steps)
        end = before
        while end > 0 and tries < tries_max:
            piece = range(max(0, end - size), end)
            tries += 1
            if await fails(plan.without(piece)):
                plan = plan.without(piece)
            end -= size
        if len(plan.steps) == before and size == 1:
            break
        size = size if len(plan.steps) < before else max(1, size // 2)
    return plan
