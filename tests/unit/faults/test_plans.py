"""A plan is the same for the same seed, holds what was asked for, and can be written down and played again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from tests.faults.clients.visiting import STORIES
from tests.faults.nemesis import records
from tests.faults.nemesis.playing import PLAYS
from tests.faults.plan.kinds import KINDS
from tests.faults.plan.plan import Plan
from tests.faults.plan.planning import plan
from tests.faults.plan.visits import VISITS
from tests.faults.stack.parts import LINKS, PROCESSES

ROWS = range(1, 61)
"""Of the catalogue of faults."""
SEEDS = range(30)


def test_each_kind_of_fault_can_be_played_and_each_that_can_be_played_is_planned() -> None:
    assert KINDS.keys() == PLAYS.keys()


def test_each_sort_of_poison_that_can_be_drawn_is_a_record() -> None:
    kind = KINDS["poison"]
    drawn = {kind.arguments(Random(seed))["sort"] for seed in range(200)}  # noqa: S311 - no secret
    assert len(drawn) == 6
    for sort in drawn:
        for topic in kind.targets:
            key, value, _ = records.poisoned(sort, topic)
            assert key is not None or value is not None


def test_each_visit_has_its_story() -> None:
    assert {visit.story for visit in VISITS} == STORIES.keys()


def test_a_kind_names_a_row_of_the_catalogue_and_what_it_may_strike() -> None:
    parts = {*LINKS, *PROCESSES, "postgres", "kafka", "polar", "resend", "booking", "payments", "notifications", "all"}
    for kind in KINDS.values():
        assert kind.row in ROWS, kind.name
        assert kind.targets, kind.name
        assert kind.name in ("poison", "records_repeated", "records_shuffled") or set(kind.targets) <= parts, kind.name


def test_the_same_seed_is_the_same_plan_and_another_is_another() -> None:
    assert plan(7, 5) == plan(7, 5)
    assert plan(7, 5).faults != plan(8, 5).faults
    assert plan(7, 5).operations != plan(8, 5).operations


def test_a_plan_is_the_same_when_it_is_read_again(tmp_path: Path) -> None:
    written = plan(7, 1)
    written.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == written


@pytest.mark.parametrize("seed", SEEDS)
def test_five_minutes_hold_sixty_faults_of_twenty_kinds_and_more_visits_than_bookings_are_promised(seed: int) -> None:
    five_minutes = plan(seed, 5)
    assert len(five_minutes.faults) >= 60
    assert len({fault.kind for fault in five_minutes.faults}) >= 20
    assert len(five_minutes.operations) >= 2_500


@pytest.mark.parametrize("seed", SEEDS)
def test_what_puts_everything_back_comes_seldom(seed: int) -> None:
    counted = Counter(fault.kind for fault in plan(seed, 5).faults)
    for kind in KINDS.values():
        assert counted[kind.name] <= max(1, kind.most), kind.name


@pytest.mark.parametrize("seed", SEEDS)
def test_every_fault_comes_before_the_end_on_however_slow_a_machine(seed: int) -> None:
    for fault in plan(seed, 1).faults:
        assert 0 < fault.at.at_latest_second < 1.2 * 60
        assert fault.at.count >= 0


def test_faults_that_are_left_out_change_nothing_else() -> None:
    whole = plan(7, 1)
    some = whole.without({0, 2})
    assert some.faults == (whole.faults[1], *whole.faults[3:])
    assert some.operations == whole.operations
