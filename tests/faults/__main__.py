"""`python -m tests.faults run --seed 7 --minutes 5`, or `make faults`. It leaves with 0 when the verdict is clean."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from deploy.local.environment import Paths
from tests.faults import reporting, running
from tests.faults.plan.plan import Plan
from tests.faults.plan.planning import plan

app = typer.Typer(add_completion=False, help=__doc__)
console = Console(stderr=True)

FRESH_SEEDS = 100_000


@app.command()
def run(
    seed: Annotated[
        int | None, typer.Option(help="The same seed is the same plan; a fresh one when not given.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.1, help="How long the storm lasts.")] = 5.0,
    replay: Annotated[Path | None, typer.Option(exists=True, help="A `plan.json` that is played again.")] = None,
    faults: Annotated[bool, typer.Option(help="Without, only the visits are played.")] = True,
) -> None:
    """Play a plan, and have what is left behind judged."""
    chosen = Plan.read(replay) if replay else plan(_fresh() if seed is None else seed, minutes)
    if not faults:
        chosen = chosen.without(range(len(chosen.faults)))
    raise typer.Exit(0 if _played(chosen) else 1)


def _fresh() -> int:
    return random.SystemRandom().randrange(FRESH_SEEDS)


def _played(chosen: Plan) -> bool:
    folder = Paths.read(os.environ).home / "faults" / f"seed-{chosen.seed}-{time.strftime('%Y%m%d-%H%M%S')}"
    console.print(f"seed {chosen.seed}: {len(chosen.faults)} faults, {len(chosen.operations)} visits; {folder}")
    clean = asyncio.run(running.play(chosen, folder))
    reporting.show(folder, console)
    return clean


if __name__ == "__main__":
    app()
