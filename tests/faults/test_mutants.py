"""The checker on the real system: what is well is found well, what is broken is found broken. `make mutants` plays every defect."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.local.environment import Ports, port_variable
from tests.faults.checker.watching import watch
from tests.faults.mutants.proof import judged, play
from tests.faults.mutants.stage import Stage
from tests.faults.mutants.theatre import Theatre

pytestmark = [pytest.mark.slow, pytest.mark.child_servers]
BOOKINGS = 50
TIMEOUT_SECONDS = 600


@pytest.fixture(scope="module")
async def theatre() -> AsyncIterator[Theatre]:
    async with Theatre.open() as theatre:
        yield theatre


async def demo(stage: Stage, bookings: int) -> None:
    """`courtside demo`, on the stage's own topics."""
    ports = stage.stack.installation.ports
    told = {port_variable(part): str(getattr(ports, part)) for part in Ports.__slots__}
    told |= {"COURTSIDE_HOME": str(stage.stack.installation.paths.home), "COURTSIDE_TOPIC_PREFIX": stage.prefix}
    command = (sys.executable, "-m", "deploy.cli", "demo", "--json", "--count", str(bookings), "--concurrency", "10")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | told, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-2000:]


@pytest.mark.timeout(TIMEOUT_SECONDS)
async def test_fifty_bookings_that_went_well_are_judged_clean(theatre: Theatre, tmp_path: Path) -> None:
    async with theatre.stage(None, tmp_path) as stage:
        stage.write_run()
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(tmp_path, stop))
        await demo(stage, BOOKINGS)
        verdict = await judged(stage, {})
        stop.set()
        await watching
    assert {name: verdict.findings[name].violations for name in verdict.broken} == {}
    figures = verdict.figures
    assert (figures["bookings"], figures["confirmed"], figures["charges"]) == (BOOKINGS, BOOKINGS, BOOKINGS)
    assert figures["mails"] >= BOOKINGS
    seen = [json.loads(line) for line in (tmp_path / "live.jsonl").read_text().splitlines()]
    assert {"I1", "I13"} == {
        line["invariant"] for line in seen if line["state"].get("looked") or "fronts" in line["state"]
    }


@pytest.mark.timeout(TIMEOUT_SECONDS)
@pytest.mark.parametrize(
    ("mutant", "found_by"), [("double-a-mail", ("I4",)), ("commit-the-offset-first", ("I8", "I10"))]
)
async def test_a_defect_of_the_product_is_found(
    theatre: Theatre, tmp_path: Path, mutant: str, found_by: tuple[str, ...]
) -> None:
    played = await play(theatre, mutant, tmp_path / "run")
    assert set(found_by) <= set(played.verdict.broken)
