from __future__ import annotations

import re

from deploy import configuration
from deploy.local.environment import ROOT

WRITTEN = configuration.PAGE.read_text()


def test_the_page_of_all_variables_is_what_the_code_reads() -> None:
    assert configuration.page() == WRITTEN, "run `python -m deploy.configuration`"


def test_each_variable_says_what_it_does() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*$", WRITTEN, re.MULTILINE)
    assert len(rows) > 100
    assert len(rows) == len(set(rows))
    silent = [line for line in WRITTEN.splitlines() if line.startswith("| `") and _about(line) == ""]
    assert not silent


def _about(row: str) -> str:
    cells = [cell.strip() for cell in row.strip("|").split(" | ")]
    return cells[4 if len(cells) > 4 else 3]


def test_variables_that_are_no_settings_are_on_the_page_too() -> None:
    named = {
        name
        for folder in ("services", "deploy")
        for file in (ROOT / folder).rglob("*.py")
        for name in re.findall(r"\"(COURTSIDE_[A-Z_]+[A-Z])\"", file.read_text())
    }
    assert len(named) > 3
    assert not [name for name in named if f"`{name}`" not in WRITTEN]
