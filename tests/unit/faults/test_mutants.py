from __future__ import annotations

import importlib

import pytest

from tests.faults.checker.invariants import INVARIANTS
from tests.faults.mutants.catalogue import ALL, MUTANTS, Mutant
from tests.faults.mutants.reporting import PAGE, is_caught, known, page
from tests.faults.mutants.scenes import SCENES


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_mutant_breaks_something_that_is_there(mutant: Mutant) -> None:
    assert mutant.scene in SCENES
    assert set(mutant.by_service) <= set(ALL)
    for place in mutant.by_service.values():
        module, name = place.split(".")
        assert callable(getattr(importlib.import_module(f"tests.faults.mutants.defects.{module}"), name))


def test_the_page_tells_of_every_mutant_that_it_was_caught() -> None:
    assert page(known()) == PAGE.read_text(), "run `make mutants`"
    assert [name for name, mutant in MUTANTS.items() if not is_caught(mutant, known())] == []


def test_each_invariant_has_a_mutant_that_must_be_found_by_it() -> None:
    assert {mutant.breaks for mutant in MUTANTS.values()} == set(INVARIANTS)
