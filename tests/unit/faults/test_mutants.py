from __future__ import annotations

import importlib
import re

import pytest

from tests.faults.mutants.catalogue import ALL, MUTANTS, Mutant
from tests.faults.mutants.proof import PAGE
from tests.faults.mutants.scenes import SCENES


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_each_mutant_breaks_something_that_is_there(mutant: Mutant) -> None:
    assert mutant.scene in SCENES
    assert set(mutant.by_service) <= set(ALL)
    for place in mutant.by_service.values():
        module, name = place.split(".")
        assert callable(getattr(importlib.import_module(f"tests.faults.mutants.defects.{module}"), name))


def test_the_page_tells_of_every_mutant_that_it_was_caught() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \|.*\| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert [name for name, _ in rows] == list(MUTANTS), "run `make mutants`"
    assert all(found.startswith("**I") for _, found in rows)
