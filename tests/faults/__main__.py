"""Storms over the whole system: `python -m tests.faults run --seed 7 --minutes 5`. A run leaves with 0 when its verdict is clean."""

from __future__ import annotations

import logging
import os
import random
import time
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from deploy.local.environment import Paths
from tests.faults import reporting, running
from tests.faults.checking import violated
from tests.faults.plan.plan import Plan
from tests.faults.plan.planning import VISITS_PER_SECOND, plan
from tests.faults.shrinking import shrunk

app = typer.Typer(add_completion=False, help=__doc__)
console = Console(stderr=True)

FRESH_SEEDS = 100_000


@app.command()
def run(
    seed: Annotated[
        int | None, typer.Option(help="The same seed is the same plan; a fresh one when not given.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long the storm lasts.")] = 5.0,
    visits_per_second: Annotated[
        float, typer.Option(min=0.1, help="Fewer for a machine that is busy.")
    ] = VISITS_PER_SECOND,
    replay: Annotated[Path | None, typer.Option(exists=True, help="A `plan.json` that is played again.")] = None,
    busy: Annotated[bool, typer.Option("--busy", help="The machine has other things to do: be patient.")] = False,
    faults: Annotated[bool, typer.Option(help="Without, only the visits are played.")] = True,
) -> None:
    """Play a plan, and have what is left behind judged."""
    chosen = Plan.read(replay) if replay else plan(_fresh() if seed is None else seed, minutes, visits_per_second)
    if not faults:
        chosen = chosen.without(range(len(chosen.faults)))
    folder = _folder(chosen)
    clean = _played(chosen, folder, running.BUSY if busy else running.Limits())
    reporting.show(folder, console)
    raise typer.Exit(0 if clean else 1)


@app.command()
def shrink(
    plan_file: Annotated[Path, typer.Argument(exists=True, help="A `plan.json` whose run had violations.")],
) -> None:
    """Find the fewest faults with which the plan still breaks the same invariant. As many runs as it takes."""
    wanted = violated(plan_file.parent)

    async def fails(smaller: Plan) -> bool:
        folder = _folder(smaller)
        await running.play(smaller, folder, running.BUSY)
        found = violated(folder) & wanted
        console.print(f"{len(smaller.faults)} faults: {', '.join(sorted(found)) or 'clean'}")
        return bool(found)

    smallest = uvloop.run(shrunk(Plan.read(plan_file), fails))
    smallest.write(plan_file.with_name("plan-shrunk.json"))
    console.print(f"{len(smallest.faults)} faults are left: {plan_file.with_name('plan-shrunk.json')}")


def _fresh() -> int:
    return random.SystemRandom().randrange(FRESH_SEEDS)


def _folder(chosen: Plan) -> Path:
    return Paths.read(os.environ).home / "faults" / f"seed-{chosen.seed}-{time.strftime('%Y%m%d-%H%M%S')}"


def _played(chosen: Plan, folder: Path, limits: running.Limits) -> bool:
    console.print(f"seed {chosen.seed}: {len(chosen.faults)} faults, {len(chosen.operations)} visits; {folder}")
    return uvloop.run(running.play(chosen, folder, limits))


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is our own doing
    app()
