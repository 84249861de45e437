"""Makes the broker have the topics that it must have. Safe to run again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence

from deploy.broker import BrokerSettings
from deploy.local.errors import PartFailed, WrongEnvironment
from deploy.topics.cluster import Cluster, connected
from deploy.topics.plan import NEVER, Change, Wanted, all_wanted, changes
from services.chassis.topics import describe

SEEN_SECONDS, LOOK_SECONDS = 60.0, 0.05
NOT_CONFIGS = ("partitions", "replication.factor")


class Refused(WrongEnvironment):
    """Something in the plan needs a yes, or is never done: then nothing is done at all."""

    def __init__(self, changes: Sequence[Change]) -> None:
        sentences = (
            f"{change.topic} {change.setting} {change.now} → {change.wanted}: "
            + ("never done here" if change.obstacle == NEVER else f"needs {change.obstacle}")
            for change in changes
        )
        super().__init__("nothing was changed, since these were refused:\n" + "\n".join(sentences))


async def plan(settings: BrokerSettings) -> list[Change]:
    wanted = all_wanted(settings)
    async with connected(settings) as cluster:
        return changes(wanted, await describe(cluster, wanted))


async def provision(settings: BrokerSettings, allowed: Collection[str] = ()) -> list[Change]:
    """What was changed. `allowed` are the flags of `plan.py`. Raises `Refused` before anything is done."""
    wanted = all_wanted(settings)
    async with connected(settings) as cluster:
        found = changes(wanted, await describe(cluster, wanted))
        if refused := [change for change in found if change.obstacle not in ("", *allowed)]:
            raise Refused(refused)
        await _make(cluster, wanted, found)
        await _until_seen(cluster, wanted)
    return found


async def _until_seen(cluster: Cluster, wanted: dict[str, Wanted]) -> None:
    """The controller answers before the brokers know: who asks next must find what was made."""
    deadline = time.monotonic() + SEEN_SECONDS
    while changes(wanted, await describe(cluster, wanted)):
        if time.monotonic() > deadline:
            raise PartFailed(f"the broker took the changes, and does not show them after {SEEN_SECONDS:.0f} s")
        await asyncio.sleep(LOOK_SECONDS)


async def _make(cluster: Cluster, wanted: dict[str, Wanted], found: Sequence[Change]) -> None:
    new = {change.topic for change in found if change.now is None}
    there = [change for change in found if change.now is not None]
    configs: dict[str, dict[str, str]] = {}
    for change in there:
        if change.setting not in NOT_CONFIGS:
            configs.setdefault(change.topic, {})[change.setting] = change.wanted
    if new:
        await cluster.create([wanted[name] for name in sorted(new)])
    if configs:
        await cluster.set_configs(configs)
    if grown := {change.topic: int(change.wanted) for change in there if change.setting == "partitions"}:
        await cluster.add_partitions(grown)
