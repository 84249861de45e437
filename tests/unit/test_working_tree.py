"""By which commit a figure or a run is known."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.bench import bench
from tests.working_tree import commit


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "court.txt").write_text("free\n")
    for words in (
        ("init", "--quiet"),
        ("add", "court.txt"),
        ("-c", "user.name=Ana", "-c", "user.email=ana@example.com", "commit", "--quiet", "-m", "A court"),
    ):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)  # noqa: S607 - whichever git there is
    return tmp_path


def test_what_nobody_has_committed_has_a_mark_behind_the_commit(tree: Path) -> None:
    clean = commit(tree)
    assert clean.isalnum()
    (tree / "court.txt").write_text("taken\n")
    assert commit(tree) == f"{clean}+"


def test_what_git_knows_nothing_of_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit(tmp_path) == "unknown"


def test_a_figure_is_known_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "commit", lambda: "984a655+")
    assert bench.circumstances()["commit"] == "984a655+"
