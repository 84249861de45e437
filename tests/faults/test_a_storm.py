"""A short storm, as every merge has one: with a seed of its own each time, which is in the name of its folder and in the failure."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults import checking, reporting, running
from tests.faults.plan.planning import plan

SEED = "COURTSIDE_FAULTS_SEED"
MINUTES, VISITS_PER_SECOND = 0.7, 4.0
"""What a merge has time for. `make faults` is for a release, `make faults-long` for a night."""

ONCE = pytest.mark.flaky(reruns=0)
"""It goes before what `.ci/run` grants the others: played again, it would be another storm, and hide what this one found."""

pytestmark = [pytest.mark.slow, pytest.mark.child_servers, pytest.mark.timeout(900), ONCE]


async def test_a_short_storm_breaks_no_promise(tmp_path: Path) -> None:
    seed = int(os.environ.get(SEED) or random.SystemRandom().randrange(100_000))
    folder = tmp_path / f"seed-{seed}"
    clean = await running.play(plan(seed, MINUTES, VISITS_PER_SECOND), folder, running.BUSY)
    told = reporting.figures(folder)
    assert not told["left"], f"seed {seed}: it did not come to rest: {told['left']}"
    assert clean, f"seed {seed}: {checking.violated(folder)}\n{(folder / 'verdict.txt').read_text()}"
    assert told["holds"] > 0
    assert told["faults"] >= 5, "of eight that were planned: one may take away what another wants to strike"
