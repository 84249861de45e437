"""After the last step nobody does anything new, and all that is going on comes to its end, however much time that takes.

Providers may have their whims a while longer: what a life leaves to be done, refunds above all, is done then.
"""

from __future__ import annotations

from random import Random

from tests.simulation.happening_at_providers import bring, waiting_webhooks
from tests.simulation.happening_in_services import cron, deliver, deliverable, relay
from tests.simulation.moving import let
from tests.simulation.plan import Plan
from tests.simulation.providers import end_webhook, pending_webhooks
from tests.simulation.world import World

ROUNDS_MAX = 60
"""Of waiting for a retry tier. A ladder has 27 steps, and few of them are left by then."""
LOOKS = 2
"""How often the comparison with Polar is made at the end: what one begins, the next one sees through."""
BETWEEN_SECONDS = 16 * 60
"""Longer than a hold, and than the pause between two comparisons."""


class NeverAtRest(AssertionError):
    """I13: something comes again and again."""


async def drain(world: World, plan: Plan) -> None:
    world.trace.append("drain")
    _calm(world)
    if plan.lose_webhooks:
        for webhook in pending_webhooks(world.polar.standin.database):
            end_webhook(world.polar.standin.database, webhook, "skipped")
    if plan.restless:
        world.polar.wire.whims = world.resend.wire.whims = Random(f"{plan.seed}:whims")  # noqa: S311 - the same again
    await _come_to_rest(world)
    _calm(world)
    for _ in range(LOOKS):
        _end_what_banks_do(world)
        await world.pass_time(BETWEEN_SECONDS)
        await _do_jobs(world)
        await _come_to_rest(world)


def _calm(world: World) -> None:
    world.polar.wire.calm()
    world.resend.wire.calm()
    world.polar.standin.settings.refund_s = 0
    for office in world.offices.values():
        for process in office.processes:
            process.doom = None


def _end_what_banks_do(world: World) -> None:
    for page in world.polar.documents("checkouts", "confirmed"):
        world.polar.settle(page["id"], declined=False)
    for refund in world.polar.documents("refunds", "pending"):
        world.polar.end_refund(refund["id"], failed=False)


async def _do_jobs(world: World) -> None:
    for office in world.offices.values():
        for which in range(len(office.workers[0].crons)):
            await let(world, cron(world, office, 0, which))


async def _come_to_rest(world: World) -> None:
    """Until nothing waits on a retry tier either."""
    for _ in range(ROUNDS_MAX):
        await _settle(world)
        due = [at for office in world.offices.values() if (at := office.next_due()) is not None]
        if not due:
            return
        await world.pass_time(max(0.0, min(due) - world.clock.at.timestamp()) + 0.001)
    raise NeverAtRest(f"records on retry tiers after {ROUNDS_MAX} rounds")


async def _settle(world: World) -> None:
    """Until there is nothing to do at this instant."""
    for _ in range(ROUNDS_MAX):
        moved = False
        for actor in list(world.turns.going_on()):
            await let(world, actor)
        for office, webhook in waiting_webhooks(world):
            await let(world, bring(world, office, webhook))
        for office in world.offices.values():
            if office.has_something_to_say:
                await let(world, relay(world, office, 0))
                moved = True
        while found := deliverable(world):
            await let(world, deliver(world, *found[0]))
            moved = True
        if not moved and not await _look_into_outboxes(world):
            return
    raise NeverAtRest(f"outboxes or topics still move after {ROUNDS_MAX} rounds")


async def _look_into_outboxes(world: World) -> bool:
    """As a relay does ten times a second, whether its doorbell was rung or not. Whether something is there."""
    for office in world.offices.values():
        if await office.chassis.database.pool.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
            office.chassis.doorbell.ring()
    return any(office.has_something_to_say for office in world.offices.values())
