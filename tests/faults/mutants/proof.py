"""`make mutants`: each defect is played, and the checker must find it; the product as it is must be clean in the same scenes.

`python -m tests.faults.mutants.proof [name …]` plays those that are named, or all, and writes what it finds into `docs/mutants.md`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
from aiokafka.errors import KafkaError

from deploy.local.errors import PartFailed
from tests.faults.checker import Verdict, check
from tests.faults.checker.errors import CouldNotCheck
from tests.faults.mutants.catalogue import MUTANTS, Mutant
from tests.faults.mutants.reporting import told, write
from tests.faults.mutants.scenes import PLAIN, SCENES
from tests.faults.mutants.stage import Stage
from tests.faults.mutants.stories import Told
from tests.faults.mutants.theatre import Theatre
from tests.working_tree import commit

STAGES = 2
"""Theatres at once, each with a PostgreSQL, a Kafka, two providers and three services."""


TRIES = 3


class CouldNotPlay(Exception):
    """Nothing is known of the mutant."""


@dataclass(frozen=True)
class Played:
    """`mutant` is None for the product as it is."""

    scene: str
    mutant: str | None
    verdict: Verdict
    seconds: float

    @property
    def as_expected(self) -> bool:
        return self.verdict.clean if self.mutant is None else MUTANTS[self.mutant].breaks in self.verdict.broken

    def line(self) -> str:
        mark = "ok " if self.as_expected else "NOT"
        found = "clean" if self.verdict.clean else told(self.verdict)
        return f"{mark} {self.seconds:5.1f} s  {self.mutant or f'the product, {self.scene}':<34} {found}"


async def play(theatre: Theatre, mutant: str | None, folder: Path, scene: str | None = None) -> Played:
    """The scene of a mutant, or a scene of the product as it is, on a stage of its own."""
    began, title = time.monotonic(), MUTANTS[mutant].scene if mutant else scene or PLAIN
    folder.mkdir(parents=True)  # noqa: ASYNC240 - a moment
    async with theatre.stage(mutant, folder) as stage:
        verdict = await judged(stage, await SCENES[title](stage))
    return Played(title, mutant, verdict, time.monotonic() - began)


async def judged(stage: Stage, plan: Told) -> Verdict:
    """When all has come to rest, or has had its time to. `plan` is what it did itself, for `run.json`."""
    rested = await stage.comes_to_rest()
    stage.write_run(**plan, drained_at=datetime.now(UTC).isoformat() if rested else None)
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
    async with AsyncExitStack() as stack:
        theatre = await _opened(stack)
        for number, (scene, mutant) in plays:
            one = played[number] = await _patiently(theatre, mutant, folder / str(number), scene)
            print(one.line(), flush=True)  # noqa: T201
            if one.mutant:
                write({one.mutant: (commit(), told(one.verdict))})
            if not one.as_expected:
                _show(one)


async def _opened(stack: AsyncExitStack) -> Theatre:
    for _ in range(TRIES):
        try:
            return await stack.enter_async_context(Theatre.open())
        except PartFailed as error:
            print(f"again: {error}", flush=True)  # noqa: T201
    raise CouldNotPlay(f"the servers did not start in {TRIES} tries")


async def _patiently(theatre: Theatre, mutant: str | None, folder: Path, scene: str) -> Played:
    """A play that could not be given, because the machine was too busy to start its programs, is given again."""
    for attempt in range(TRIES):
        try:
            return await play(theatre, mutant, folder.with_name(f"{folder.name}-{attempt}"), scene)
        except (PartFailed, CouldNotCheck, TimeoutError, httpx.HTTPError, KafkaError) as error:
            print(f"again: {mutant or scene}: {error}", flush=True)  # noqa: T201
    raise CouldNotPlay(f"{mutant or scene} could not be played in {TRIES} tries")


def _plays(mutants: Sequence[Mutant]) -> list[tuple[str, str | None]]:
    scenes = dict.fromkeys(mutant.scene for mutant in mutants)
    return [*((scene, None) for scene in scenes), *((mutant.scene, mutant.name) for mutant in mutants)]


def _show(played: Played) -> None:
    """What was not as expected is shown in full."""
    print(played.verdict.table(), flush=True)  # noqa: T201
    for name in played.verdict.broken:
        shown = [json.dumps(each, default=str, ensure_ascii=False) for each in played.verdict.findings[name].shown]
        print(f"{name}:", *shown, sep="\n  ", flush=True)  # noqa: T201


def main() -> int:
    names = sys.argv[1:]
    if unknown := set(names) - set(MUTANTS):
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}. There are: {', '.join(MUTANTS)}")
    played = asyncio.run(prove(names))
    return 0 if all(one.as_expected for one in played) else 1


if __name__ == "__main__":
    sys.exit(main())
