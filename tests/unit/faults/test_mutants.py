from __future__ import annotations

import importlib

import pytest

from tests.faults.mutants.catalogue import ALL, MUTANTS, Mutant
from tests.faults.mutants.reporting import PAGE, known, page
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
    assert [name for name, found in known().items() if not found.startswith("**I")] == []
