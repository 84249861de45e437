"""The catalogue of faults names sixty, and only tests that there are."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.faults.catalogue import EXPECTED, ROWS, Row
from tests.faults.catalogue.page import page

ROOT = Path(__file__).parents[2]
PROVEN_AT_LEAST = 52
INVARIANTS = {f"I{number}" for number in range(1, 18)} | {"all"}


@cache
def written_in(file: Path) -> frozenset[str]:
    """Those that are not left out."""
    functions = [
        node for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return frozenset(one.name for one in functions if not any("skip" in ast.unparse(by) for by in one.decorator_list))


def test_each_fault_has_its_row() -> None:
    assert [row.number for row in ROWS] == list(range(1, EXPECTED + 1))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_names_tests_that_there_are_or_says_why_it_has_none(row: Row) -> None:
    assert row.proofs or row.not_shown
    for proof in row.proofs:
        file, _, name = proof.partition("::")
        path = ROOT / "tests" / file
        assert path.is_file(), f"row {row.number} names {file}"
        assert name in written_in(path), f"row {row.number}: {file} has no {name}"
    assert set(row.invariants.split()) <= INVARIANTS


def test_most_rows_are_shown() -> None:
    assert sum(bool(row.proofs) for row in ROWS) >= PROVEN_AT_LEAST


def test_the_page_is_that_of_the_catalogue() -> None:
    assert (ROOT / "docs" / "faults.md").read_text() == page(ROWS)
