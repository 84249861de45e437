"""Workers side by side: each a process with databases of its own, and every so many seeds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from deploy.local.environment import Paths
from tests.programs import REPOSITORY
from tests.simulation.reporting import Report
from tests.simulation.worker import Errand
from tests.stack import TestStack

SERVICES = ("booking", "payments", "notifications")
LINE_MAX_BYTES = 1 << 20


class WorkerFailed(Exception):
    """A worker ended before its errand did: the simulation itself is broken."""


def end_kindly_when_told() -> None:
    """SIGTERM and SIGINT, which a shell has its background jobs ignore, end the servers and the workers too."""
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, signal.default_int_handler)


def home() -> Path:
    return Paths.read(os.environ).home / "simulation"


async def sail(
    first: int,
    folder: Path,
    *,
    seeds: int = 0,
    seconds: float = 0.0,
    workers: int = 2,
    replay: str = "",
    mutant: str = "",
    until_found: bool = False,
) -> Report:
    """`seeds` in all, for `seconds` at most. A replay is one worker's. What fails is written down in the folder."""
    workers = 1 if replay else min(workers, seeds or workers)
    stack = await TestStack.open()
    try:
        await stack.start_postgres()
        errands = await errands_on(
            stack,
            workers,
            first=first,
            folder=folder,
            count=seeds,
            seconds=seconds,
            mutant=mutant,
            replay=replay,
            until_found=until_found,
        )
        return await sail_on(errands)
    finally:
        await stack.close()


async def errands_on(
    stack: TestStack, workers: int, *, first: int = 1, count: int = 0, folder: Path | None = None, **asked: Any
) -> list[Errand]:
    """One for each worker, with databases of its own. `count` is that of all of them together."""
    return [
        Errand(
            urls={service: await stack.new_database(service) for service in SERVICES},
            folder=str(folder or home()),
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
