"""What begins gets its turns, and a process that died of them is started again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias, TypeVar

from tests.simulation.turns import Actor
from tests.simulation.world import World

T = TypeVar("T")
Happening: TypeAlias = Callable[[World, tuple[int, ...]], Awaitable[Actor | None]]
"""What a step of a plan becomes; `None` when it is over, or when there was nothing for it to happen to."""


async def let(world: World, actor: Actor, turns: int = 1_000) -> None:
    """It goes on for so many turns."""
    await world.turns.give(actor, turns)
    start_dead_again(world)


def start_dead_again(world: World) -> None:
    for office in world.offices.values():
        for process in office.processes:
            if not process.alive:
                world.trace.append(f"{process.name} died")
                office.start_again(process)
                if process.name == "booking api":
                    world.forget_users()


def one_of(number: int, things: Sequence[T]) -> T | None:
    return things[number % len(things)] if things else None
