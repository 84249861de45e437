"""Everybody who comes to the club: each lives their story, no sooner than the plan says, and so many at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from tests.faults.clients import hostile, staff, stories
from tests.faults.clients.scene import Scene
from tests.faults.plan.plan import Operation, Plan

AT_ONCE = 220
"""Who waits for a hold to run out stands in the way of nobody."""
Story = Callable[[Scene, Operation], Awaitable[None]]

STORIES: dict[str, Story] = {
    story.__name__: story
    for story in (
        stories.pays,
        stories.never_pays,
        stories.pays_late,
        stories.pays_twice,
        stories.pays_a_wrong_amount,
        stories.pays_at_the_second_try,
        stories.gives_the_hold_back,
        stories.races_for_a_slot,
        stories.asks_twice_at_once,
        stories.looks_around,
        staff.blocks_a_court,
        staff.is_booked_by_staff,
        hostile.is_hostile,
    )
}
PATIENT = frozenset({stories.pays_late.__name__})


async def everybody_comes(scene: Scene, plan: Plan, over: asyncio.Event) -> None:
    """Until the storm is `over`, and its minutes with it; who is in the middle of a story then ends it."""
    places = asyncio.Semaphore(AT_ONCE)
    async with asyncio.TaskGroup() as visits:
        for operation in plan.operations:
            await asyncio.sleep(max(0.0, operation.at_second - scene.history.second))
            if over.is_set() and scene.history.second > plan.minutes * 60:
                return
            if operation.story in PATIENT:
                visits.create_task(_live(scene, operation))
                continue
            await places.acquire()
            visits.create_task(_live(scene, operation)).add_done_callback(lambda _: places.release())


async def _live(scene: Scene, operation: Operation) -> None:
    """A lever of a stand-in may be out of order for a moment, too: then this story ends here."""
    try:
        await STORIES[operation.story](scene, operation)
    except httpx.HTTPError:
        scene.broken_off += 1
