"""What the simulation is made of, each part alone."""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.programs import REPOSITORY
from tests.simulation import __main__ as command
from tests.simulation import hunt
from tests.simulation.happening_to_processes import POINTS
from tests.simulation.memory_log import MemoryLog
from tests.simulation.mutants import MUTANTS
from tests.simulation.pinning import SimulatedClock
from tests.simulation.plan import DRAWN, WEIGHTS, Plan, Step
from tests.simulation.playing import HAPPENINGS
from tests.simulation.reporting import Report
from tests.simulation.shrinking import shrink
from tests.simulation.turns import Process, Turns, checkpoint


def test_every_kind_of_step_is_drawn_and_can_be_played() -> None:
    assert HAPPENINGS.keys() == WEIGHTS.keys() == DRAWN.keys()


def test_processes_die_wherever_the_product_says_that_they_may() -> None:
    sources = (REPOSITORY / "services").rglob("*.py")
    found = {name for source in sources for name in re.findall(r'\breach\("([^"]+)"\)', source.read_text())}
    assert set(POINTS) == found


def test_a_plan_is_the_same_from_its_seed_and_from_its_file(tmp_path: Path) -> None:
    plan = Plan.draw(7)
    assert Plan.draw(7) == plan != Plan.draw(8)
    assert Plan.read(Path(plan.write(tmp_path / "plan.json"))) == plan


async def test_a_failing_plan_keeps_only_the_steps_that_it_needs() -> None:
    plan = Plan(1, tuple(Step(f"step {number}") for number in range(90)))
    needed = {"step 3", "step 41", "step 42"}

    async def fails(shorter: Plan) -> bool:
        return needed <= {step.kind for step in shorter.steps}

    assert {step.kind for step in (await shrink(plan, fails)).steps} == needed


async def test_a_process_that_dies_takes_along_all_that_goes_on_in_it_and_nothing_else() -> None:
    turns, done = Turns(lambda _: None), list[str]()
    doomed, other = Process("doomed"), Process("other")

    async def work(name: str) -> None:
        await checkpoint("half way")
        done.append(name)

    first = turns.begin("first", doomed, lambda: work("first"))
    second = turns.begin("second", doomed, lambda: work("second"))
    third = turns.begin("third", other, lambda: work("third"))
    for actor in (first, second, third):
        await turns.give(actor, 1)
    await turns.bury(doomed)
    await turns.give(third, 9)

    assert done == ["third"]
    assert first.done
    assert second.done


async def test_of_all_that_goes_on_one_thing_moves_at_a_time() -> None:
    turns, told = Turns(lambda _: None), list[str]()
    process = Process("one")

    async def talk(name: str) -> None:
        for word in ("a", "b"):
            told.append(f"{name} {word}")
            await asyncio.sleep(0)
            told.append(f"{name} {word} again")
            await checkpoint("between words")

    ana, bo = (turns.begin(name, process, lambda name=name: talk(name)) for name in ("ana", "bo"))  # type: ignore[misc]
    for actor, number in ((ana, 1), (bo, 1), (ana, 9), (bo, 9)):
        await turns.give(actor, number)

    spoken = [f"{name} {word}{again}" for word in "ab" for name in ("ana", "bo") for again in ("", " again")]
    assert told == spoken


def test_a_group_meets_a_record_again_until_it_commits_and_a_copy_behind_all_others() -> None:
    log = MemoryLog(SimulatedClock())
    first = log.append("booking.events", b"one", b"1", ())
    log.append("booking.events", b"one", b"2", ())
    place = (first.topic, first.partition)

    assert [record.value for record in log.after("payments", place, 9)] == [b"1", b"2"]
    log.commit("payments", place, 2)
    assert log.after("payments", place, 9) == []
    log.append_copy(first)
    assert [record.value for record in log.after("payments", place, 9)] == [b"1"]
    log.go_back("payments", place, 1)
    assert [record.value for record in log.after("payments", place, 9)] == [b"2", b"1"]


PAGE = (Path(__file__).parent / "README.md").read_text()


def test_the_page_has_every_defect_and_says_which_is_none_of_the_product() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == MUTANTS.keys()
    (ours,) = [name for name, mutant in MUTANTS.items() if "_put(Office" in inspect.getsource(mutant)]
    assert f"`{ours}` is a defect of the simulation's own office" in PAGE


def test_a_hunt_says_where_and_when_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunt, "commit", lambda: "984a655+")
    told, _, *table = hunt.head(7).splitlines()
    assert re.fullmatch(r"Hunted at 984a655\+ on \d{4}-\d\d-\d\d, from seed 7 on, in 200 lives at most:", told)
    row = hunt.Catch(
        "frees_no_court", 3, {"breaches": ["I1: two"], "shrunk": "", "seed": 9, "digest": "a"}, {"digest": "a"}
    ).row()
    assert row == "| `frees_no_court` | I1 | 3 | 9 | - |"
    assert {line.count("|") for line in (*table, row)} == {6}


@pytest.mark.parametrize(
    ("asked", "reports"), [([], 1), (["--mutant", "frees_no_court"], 0), (["--replay", "seed-7.json"], 0)]
)
def test_lives_leave_a_report_unless_they_are_spoilt_or_lived_before(
    asked: list[str], reports: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def sail(*_: Any, **__: Any) -> Report:
        return Report([{"seed": 7, "breaches": [], "figures": {}, "cpu_seconds": 0.2}], seconds=0.3)

    monkeypatch.setenv("COURTSIDE_HOME", str(tmp_path))
    monkeypatch.setattr(command, "sail", sail)
    monkeypatch.setattr(command, "end_kindly_when_told", lambda: None)
    monkeypatch.setattr(sys, "argv", ["simulate", "--seeds", "1", "--first", "7", *asked])
    assert command.main() == 0
    assert len(list(tmp_path.glob("simulation/from-7-*/report.json"))) == reports
