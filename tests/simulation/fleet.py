"""Workers side by side: each a process with databases of its own, and every so many seeds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from deploy.local.environment import Paths
from tests.programs import REPOSITORY
from tests.simulation.worker import Errand
from tests.stack import TestStack

SERVICES = ("booking", "payments", "notifications")
LINE_MAX_BYTES = 1 << 20
TOLD_EVERY, BREACHES_SHOWN, BREACH_MAX_CHARS = 50, 5, 400


class WorkerFailed(Exception):
    """A worker ended before its errand did: the simulation itself is broken."""


@dataclass
class Report:
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, verdict: dict[str, Any]) -> None:
        """Tells at once of what was found, and now and then that it goes on."""
        self.verdicts.append(verdict)
        if verdict["breaches"] or len(self.verdicts) % TOLD_EVERY == 0:
            found = "".join(f"\n  {breach[:BREACH_MAX_CHARS]}" for breach in verdict["breaches"][:BREACHES_SHOWN])
            shrunk = f"\n  shrunk: make simulate REPLAY={verdict['shrunk']}" if verdict["shrunk"] else ""
            print(f"{len(self.verdicts)} seeds, the last {verdict['seed']}{found}{shrunk}", flush=True)  # noqa: T201

    @property
    def clean(self) -> bool:
        return bool(self.verdicts) and not self.breached

    @property
    def breached(self) -> list[dict[str, Any]]:
        return [one for one in self.verdicts if one["breaches"]]

    def summary(self) -> str:
        total = Counter[str]()
        for one in self.verdicts:
            total.update(one["figures"])
        figures = ", ".join(f"{number} {name}" for name, number in total.items())
        rate = len(self.verdicts) / self.seconds * 60 if self.seconds else 0
        spent = sum(one["cpu_seconds"] for one in self.verdicts) / max(1, len(self.verdicts))
        verdict = "clean" if self.clean else f"{len(self.breached)} BREACHED"
        return f"{len(self.verdicts)} seeds {verdict} in {self.seconds:.0f} s, {rate:.0f} a minute, {spent:.2f} s of a core each: {figures}"


def end_kindly_when_told() -> None:
    """SIGTERM and SIGINT, which a shell has its background jobs ignore, end the servers and the workers too."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.default_int_handler)


async def sail(
    first: int,
    *,
    seeds: int = 0,
    seconds: float = 0.0,
    workers: int = 2,
    replay: str = "",
    mutant: str = "",
    until_found: bool = False,
) -> Report:
    """`seeds` in all, for `seconds` at most. A replay is one worker's."""
    workers = 1 if replay else min(workers, seeds or workers)
    stack = await TestStack.open()
    try:
        await stack.start_postgres()
        errands = await errands_on(
            stack,
            workers,
            first=first,
            count=seeds,
            seconds=seconds,
            mutant=mutant,
            replay=replay,
            until_found=until_found,
        )
        return await sail_on(errands)
    finally:
        await stack.close()


async def errands_on(stack: TestStack, workers: int, *, first: int = 1, count: int = 0, **asked: Any) -> list[Errand]:
    """One for each worker, with databases of its own. `count` is that of all of them together."""
    return [
        Errand(
            urls={service: await stack.new_database(service) for service in SERVICES},
            folder=str(Paths.read(os.environ).home / "simulation"),
            first=first + number,
            stride=workers,
            count=len(range(number, count, workers)),
            **asked,
        )
        for number in range(workers)
    ]


async def sail_on(errands: list[Errand]) -> Report:
    report = Report()
    began = time.monotonic()
    await asyncio.gather(*(_run(errand, report) for errand in errands))
    report.seconds = time.monotonic() - began
    return report


async def _run(errand: Errand, report: Report) -> None:
    """Sets come in one order: what Python hashes is the same in each run."""
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    command = (sys.executable, "-m", "tests.simulation.worker", json.dumps(asdict(errand)))
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        cwd=REPOSITORY,
        limit=LINE_MAX_BYTES,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        async for line in process.stdout:
            report.add(json.loads(line))
            if errand.until_found and report.breached:
                return
        if await process.wait():
            raise WorkerFailed(f"exit code {process.returncode}")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
