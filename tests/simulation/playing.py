"""Plays a plan: each step becomes something that happens in the world, if there is anything for it to happen to."""

from __future__ import annotations

from collections.abc import Mapping

from tests.simulation import (
    happening_at_providers,
    happening_at_the_club,
    happening_in_services,
    happening_to_processes,
)
from tests.simulation.moving import Happening, let
from tests.simulation.plan import Plan, Step
from tests.simulation.world import World

HAPPENINGS: Mapping[str, Happening] = {
    **happening_at_the_club.HAPPENINGS,
    **happening_in_services.HAPPENINGS,
    **happening_at_providers.HAPPENINGS,
    **happening_to_processes.HAPPENINGS,
}


async def play(world: World, plan: Plan) -> None:
    await world.start_over(plan.seed)
    for step in plan.steps:
        await _take(world, step)


async def _take(world: World, step: Step) -> None:
    actor = await HAPPENINGS[step.kind](world, step.numbers)
    if actor is not None:
        await let(world, actor, step.turns)
