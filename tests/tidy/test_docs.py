from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from courtside_contracts.catalogue import EVENTS

ROOT = Path(__file__).parents[2]
FLOW = (ROOT / "docs" / "flow.md").read_text()
NAMED = re.findall(r"`([\w/.-]+\.(?:py|sql))`(?:\s+`(\w+)`)?", FLOW)


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_what_the_walk_through_names_is_there(file: str, name: str) -> None:
    path = ROOT / file
    assert path.is_file(), f"docs/flow.md names {file}"
    if name:
        tree = ast.parse(path.read_text())
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, kinds)}, f"{file} has no {name}"


def test_the_walk_through_goes_all_the_way() -> None:
    assert len(NAMED) > 30


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "decisions").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_five_headings(record: Path) -> None:
    text = record.read_text()
    for heading in ("Area", "Current state", "Issue", "Recommendation", "Trade-offs"):
        assert f"**{heading}.**" in text, f"{record.name} lacks {heading}"


def test_each_guarantee_of_the_readme_names_a_test_that_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "README.md").read_text()))
    written = {
        name for file in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())
    }
    assert len(named) > 10
    assert named <= written, f"no such test: {named - written}"


CONSUMERS = (ROOT / "docs" / "consumers.md").read_text()
SHOWN = dict(re.findall(r"^```\w+ file=(\S+)\n(.*?)^```$", CONSUMERS, re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("file", sorted((ROOT / "docs" / "consumers").iterdir()), ids=lambda path: path.name)
def test_the_page_for_consumers_shows_the_very_files_that_are_tested(file: Path) -> None:
    assert SHOWN[f"consumers/{file.name}"] == file.read_text()


@pytest.mark.parametrize("name", SHOWN)
def test_a_consumer_is_short_enough_for_a_screen(name: str) -> None:
    said = (line.strip() for line in SHOWN[name].splitlines())
    assert len([line for line in said if line and not line.startswith(("#", "//", '"""'))]) <= 30


def test_the_page_for_consumers_names_every_public_event() -> None:
    kinds = re.findall(r"`([\w.]+)`", CONSUMERS)
    for name, event in EVENTS.items():
        stem = name.rpartition(".v")[0]
        assert event.topic in kinds, event.topic
        assert stem in kinds or f".{stem.partition('.')[2]}" in kinds or event.topic == "user.profiles", stem
