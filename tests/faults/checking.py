"""How the harness asks the checker: by the run's folder alone, since the two share no code."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from deploy.local.environment import ROOT
from tests.faults.checker import watch

CLEAN, VIOLATIONS = 0, 1


class NotChecked(Exception):
    """The checker could not do its work, so nothing is proved; the message is what it said."""


@asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[None]:
    """What must hold at every moment is looked at every second meanwhile."""
    stop = asyncio.Event()
    watching = asyncio.create_task(watch(folder, stop))
    try:
        yield
    finally:
        stop.set()
        await watching


async def judged(folder: Path) -> bool:
    """Whether all is well. Raises `NotChecked`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.checker", str(folder), cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    (folder / "verdict.txt").write_bytes(output)
    if process.returncode not in (CLEAN, VIOLATIONS):
        raise NotChecked(output.decode(errors="replace"))
    return process.returncode == CLEAN


def verdict(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "verdict.json").read_text())
    return told


def violated(folder: Path) -> set[str]:
    """The invariants that were broken in this run."""
    return {name for name, found in verdict(folder)["invariants"].items() if not found["clean"]}
