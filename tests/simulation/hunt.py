"""`make hunt`, or `python -m tests.simulation.hunt`: every defect of `mutants` is put in and hunted, and its life is lived once more.

Prints, under the commit and the day, the table of what found it, after how many seeds, and the plan that is left of it. Ends with 1 when
one of them was not found.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.simulation.fleet import end_kindly_when_told, errands_on, sail_on
from tests.simulation.mutants import MUTANTS
from tests.simulation.plan import Plan
from tests.simulation.reporting import Report, invariants
from tests.simulation.worker import Errand
from tests.stack import TestStack
from tests.working_tree import commit

SEEDS = 200
"""In so many a defect must be found."""


@dataclass(frozen=True)
class Catch:
    """`verdict` is None when nothing was found. `again` is that of the same seed, lived by another process."""

    mutant: str
    lives: int
    verdict: dict[str, Any] | None = None
    again: dict[str, Any] | None = None

    @property
    def sure(self) -> bool:
        return bool(self.verdict and self.again and self.verdict["digest"] == self.again["digest"])

    def row(self) -> str:
        if self.verdict is None:
            return f"| `{self.mutant}` | not found | {self.lives} | | |"
        broken = ", ".join(invariants(self.verdict["breaches"]))
        left = len(Plan.read(self.verdict["shrunk"]).steps) if self.verdict["shrunk"] else "-"
        mark = "" if self.sure else " (another life the second time)"
        return f"| `{self.mutant}` | {broken} | {self.lives} | {self.verdict['seed']}{mark} | {left} |"


def head(first: int) -> str:
    """Of the table, as it can be put into the page."""
    hunted = f"Hunted at {commit()} on {datetime.now(UTC):%Y-%m-%d}, from seed {first} on, in {SEEDS} lives at most:"
    return f"{hunted}\n\n| defect | found by | lives | seed | steps left |\n|---|---|---|---|---|"


async def hunt(names: list[str], first: int, beside: int, tries: int) -> list[Catch]:
    """`beside` are hunted at once, and what is found is shrunk by `tries` lives."""
    stack = await TestStack.open()
    places = asyncio.Semaphore(beside)
    try:
        await stack.start_postgres()
        errands = await errands_on(stack, len(names))
        hunts = (
            _hunt_one(name, replace(errand, first=first, shrinks_max_tries=tries), places)
            for name, errand in zip(names, errands, strict=True)
        )
        return list(await asyncio.gather(*hunts))
    finally:
        await stack.close()


async def _hunt_one(name: str, errand: Errand, places: asyncio.Semaphore) -> Catch:
    async with places:
        folder = str(Path(errand.folder) / name)
        errand = replace(errand, mutant=name, stride=1, count=SEEDS, until_found=True, folder=folder)
        report = await sail_on([errand])
        catch = await _confirmed(errand, name, report)
        print(catch.row(), flush=True)  # noqa: T201 - a command
        return catch


async def _confirmed(errand: Errand, name: str, report: Report) -> Catch:
    lives = len(report.verdicts)
    if not report.breached:
        return Catch(name, lives)
    (found,) = report.breached
    again = await sail_on([replace(errand, first=found["seed"], count=1, shrinks=0)])
    return Catch(name, lives, found, again.verdicts[0])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.hunt")
    parser.add_argument("mutants", nargs="*", default=list(MUTANTS), metavar="mutant")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--beside", type=int, default=2, help="so many at once")
    parser.add_argument("--tries", type=int, default=60, help="lives spent on shrinking each")
    asked = parser.parse_args()
    print(head(asked.first), flush=True)  # noqa: T201
    end_kindly_when_told()
    catches = asyncio.run(hunt(asked.mutants, asked.first, asked.beside, asked.tries))
    return 0 if all(catch.sure for catch in catches) else 1


if __name__ == "__main__":
    sys.exit(main())
