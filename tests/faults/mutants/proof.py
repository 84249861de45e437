"""`make mutants`: each defect is played, and the checker must find it; the product as it is must be clean in the same scenes.

`python -m tests.faults.mutants.proof [name …]` plays those that are named, or all, and writes `docs/mutants.md` when it was all.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.local.environment import ROOT
from tests.faults.checker import Verdict, check
from tests.faults.mutants.catalogue import MUTANTS, Mutant
from tests.faults.mutants.scenes import PLAIN, SCENES, Told
from tests.faults.mutants.stage import Stage, Theatre

PAGE = ROOT / "docs" / "mutants.md"
STAGES = 2
"""Theatres at once, each with a PostgreSQL, a Kafka, two providers and three services."""


@dataclass(frozen=True)
class Played:
    """`mutant` is None for the product as it is."""

    scene: str
    mutant: str | None
    verdict: Verdict
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.verdict.clean is (self.mutant is None)

    def line(self) -> str:
        found = "; ".join(f"{name}: {', '.join(self.verdict.findings[name].kinds)}" for name in self.verdict.broken)
        mark = "ok " if self.as_expected else "NOT"
        return f"{mark} {self.seconds:5.1f} s  {self.mutant or f'the product, {self.scene}':<34} {found or 'clean'}"


async def play(theatre: Theatre, mutant: str | None, folder: Path, scene: str | None = None) -> Played:
    """The scene of a mutant, or a scene of the product as it is, on a stage of its own."""
    began, title = time.monotonic(), MUTANTS[mutant].scene if mutant else scene or PLAIN
    folder.mkdir(parents=True)  # noqa: ASYNC240 - a moment
    async with theatre.stage(mutant, folder) as stage:
        verdict = await judged(stage, await SCENES[title](stage))
    return Played(title, mutant, verdict, time.monotonic() - began)


async def judged(stage: Stage, told: Told) -> Verdict:
    """When all has come to rest, or has had its time to. `told` is what the plan did, for `run.json`."""
    rested = await stage.comes_to_rest()
    stage.write_run(**told, drained_at=datetime.now(UTC).isoformat() if rested else None)
    return await check(stage.folder)


async def prove(names: Sequence[str]) -> list[Played]:
    """On a few stages at once: most of a play is waiting. In the order of the catalogue."""
    mutants = [MUTANTS[name] for name in names] if names else list(MUTANTS.values())
    plays = list(enumerate(_plays(mutants)))
    played: dict[int, Played] = {}
    with tempfile.TemporaryDirectory(prefix="courtside-mutants-") as folder:
        left = iter(plays)
        await asyncio.gather(*(_play_on(Path(folder), left, played) for _ in range(min(STAGES, len(plays)))))
    return [played[number] for number in sorted(played)]


async def _play_on(
    folder: Path, plays: Iterator[tuple[int, tuple[str, str | None]]], played: dict[int, Played]
) -> None:
    """One theatre takes the next play that nobody has, until there is none."""
    async with Theatre.open() as theatre:
        for number, (scene, mutant) in plays:
            one = played[number] = await play(theatre, mutant, folder / str(number), scene)
            print(one.line(), flush=True)  # noqa: T201
            if not one.as_expected:
                _show(folder / str(number), one)


def _plays(mutants: Sequence[Mutant]) -> list[tuple[str, str | None]]:
    scenes = dict.fromkeys(mutant.scene for mutant in mutants)
    return [*((scene, None) for scene in scenes), *((mutant.scene, mutant.name) for mutant in mutants)]


def _show(folder: Path, played: Played) -> None:
    """What was not as expected is shown in full."""
    print(played.verdict.table(), flush=True)  # noqa: T201
    told = json.loads((folder / "verdict.json").read_text())
    for name in played.verdict.broken:
        print(json.dumps(told["invariants"][name], indent=1, ensure_ascii=False), flush=True)  # noqa: T201


def page(played: Sequence[Played]) -> str:
    clean = [one for one in played if one.mutant is None]
    found = [one for one in played if one.mutant]
    caught = sum(one.as_expected for one in found)
    lines = [
        "# What the checker finds",
        "",
        "Written by `make mutants`. A checker that finds nothing may be blind, so each defect here is put into the product from outside",
        "(`tests/faults/mutants`), a scene is played, and the checker, which knows nothing of it, must say that something is wrong.",
        "",
        f"**{caught} of {len(found)} caught.** The product without a defect is clean in the same scenes: "
        + ", ".join(f"*{one.scene}*" for one in clean if one.as_expected)
        + ".",
        "",
        "| mutant | the defect | scene | found by |",
        "|---|---|---|---|",
        *(_row(one) for one in found),
    ]
    return "\n".join(lines) + "\n"


def _row(one: Played) -> str:
    mutant = MUTANTS[one.mutant or ""]
    found = "; ".join(f"**{name}** {', '.join(one.verdict.findings[name].kinds)}" for name in one.verdict.broken)
    return f"| `{mutant.name}` | {mutant.defect} | {mutant.scene} | {found or 'NOTHING'} |"


def main() -> int:
    names = sys.argv[1:]
    if unknown := set(names) - set(MUTANTS):
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}. There are: {', '.join(MUTANTS)}")
    played = asyncio.run(prove(names))
    if not names:
        PAGE.write_text(page(played))
    return 0 if all(one.as_expected for one in played) else 1


if __name__ == "__main__":
    sys.exit(main())
