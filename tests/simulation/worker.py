"""A child process of `python -m tests.simulation`: one world, one seed after the other, a line of JSON for each."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from tests.simulation import mutants
from tests.simulation.plan import STEPS, Plan
from tests.simulation.running import Verdict, run
from tests.simulation.shrinking import TRIES_MAX, shrink
from tests.simulation.world import World


@dataclass(frozen=True)
class Errand:
    """`urls` are this worker's own three databases. Seeds go on by `stride` until `count` or `seconds` are over; 0 is no limit."""

    urls: dict[str, str]
    folder: str
    first: int = 1
    stride: int = 1
    count: int = 0
    seconds: float = 0.0
    steps: int = STEPS
    mutant: str = ""
    replay: str = ""
    until_found: bool = False
    shrinks: int = 1
    """So many of the failing plans are shrunk."""
    shrinks_max_tries: int = TRIES_MAX


async def work(errand: Errand) -> None:
    world = await World.open(errand.urls)
    if errand.mutant:
        mutants.MUTANTS[errand.mutant]()
    gc.freeze()  # what is there now stays: it need not be looked through again and again
    shrinks = errand.shrinks
    for plan in _plans(errand):
        began = time.process_time()
        verdict = await run(world, plan)
        spent, shrunk = time.process_time() - began, ""
        if not verdict.clean and shrinks:
            shrinks -= 1
            shrunk = await _shrunk(world, plan, verdict, errand)
        told = asdict(verdict) | {"cpu_seconds": spent, "shrunk": shrunk}
        print(json.dumps(told), flush=True)  # noqa: T201 - that is how it tells
        if errand.until_found and not verdict.clean:
            break
    await world.close()


def _plans(errand: Errand) -> Iterator[Plan]:
    if errand.replay:
        yield Plan.read(Path(errand.replay))
        return
    began, seed = time.monotonic(), errand.first
    while not errand.count or seed < errand.first + errand.count * errand.stride:
        if errand.seconds and time.monotonic() - began > errand.seconds:
            return
        yield Plan.draw(seed, errand.steps)
        seed += errand.stride


async def _shrunk(world: World, plan: Plan, verdict: Verdict, errand: Errand) -> str:
    """Where it was written."""
    invariant = _broken(verdict)

    async def fails(shorter: Plan) -> bool:
        return invariant in _broken_all(await run(world, shorter))

    small = await shrink(plan, fails, errand.shrinks_max_tries)
    return small.write(Path(errand.folder) / f"seed-{plan.seed}.json")


def _broken(verdict: Verdict) -> str:
    return verdict.breaches[0].partition(":")[0]


def _broken_all(verdict: Verdict) -> set[str]:
    return {breach.partition(":")[0] for breach in verdict.breaches}


if __name__ == "__main__":
    uvloop.run(work(Errand(**json.loads(sys.argv[1]))))
