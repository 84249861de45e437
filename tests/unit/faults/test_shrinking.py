"""A plan that fails is made as small as it can be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.faults.plan.plan import Plan
from tests.faults.plan.planning import plan
from tests.faults.shrinking import shrunk

WHOLE = plan(seed=7, minutes=1)


def failing_with(*needed: int) -> Callable[[Plan], Awaitable[bool]]:
    """As if these faults together did the damage."""

    async def fails(smaller: Plan) -> bool:
        return all(WHOLE.faults[number] in smaller.faults for number in needed)

    return fails


@pytest.mark.parametrize("needed", [(0,), (5,), (len(WHOLE.faults) - 1,), (1, 7), (0, 4, 9)])
async def test_only_the_faults_that_do_the_damage_are_left(needed: tuple[int, ...]) -> None:
    smallest = await shrunk(WHOLE, failing_with(*needed))
    assert smallest.faults == tuple(WHOLE.faults[number] for number in needed)
    assert smallest.operations == WHOLE.operations


async def test_a_plan_that_fails_by_chance_keeps_its_faults() -> None:
    async def never_again(_: Plan) -> bool:
        return False

    assert await shrunk(WHOLE, never_again) == WHOLE
