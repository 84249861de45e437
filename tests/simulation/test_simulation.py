"""The simulation at work: some lives of the club, the same one twice, and defects that it must find."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.local.postgres import Postgres
from tests.simulation.fleet import errands_on, sail_on
from tests.simulation.plan import Plan
from tests.simulation.reporting import Report
from tests.stack import TestStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SEEDS_TO_FIND_IN = 200


@pytest.fixture
def sail(idle_stack: TestStack, postgres: Postgres, tmp_path: Path) -> Any:
    async def sail(*voyages: dict[str, Any]) -> Report:
        errands = await errands_on(idle_stack, len(voyages))
        pairs = zip(errands, voyages, strict=True)
        return await sail_on([replace(errand, folder=str(tmp_path), **voyage) for errand, voyage in pairs])

    return sail


async def test_whatever_happens_to_a_club_and_its_services_all_comes_right_in_the_end(sail: Any) -> None:
    report = await sail({"seconds": 15, "first": 1, "stride": 2}, {"seconds": 15, "first": 2, "stride": 2})

    assert report.clean, report.breached


async def test_the_same_seed_is_the_same_life_again(sail: Any) -> None:
    report = await sail({"first": 7, "count": 3}, {"first": 7, "count": 3})

    lives = {(one["seed"], one["digest"]) for one in report.verdicts}
    assert len(report.verdicts) == 6
    assert len(lives) == 3


@pytest.mark.parametrize("mutant", ["forgets_late_refunds", "commits_offsets_first"])
async def test_a_service_that_forgets_is_found_out_and_found_again_from_what_was_written_down(
    sail: Any, mutant: str
) -> None:
    hunted = await sail({"mutant": mutant, "count": SEEDS_TO_FIND_IN, "until_found": True, "shrinks_max_tries": 12})
    (found,) = hunted.breached
    assert Plan.read(found["shrunk"]).steps

    again = await sail({"mutant": mutant, "replay": found["shrunk"]})
    assert again.breached

    sound = await sail({"replay": found["shrunk"]})
    assert sound.clean, sound.breached
