from __future__ import annotations

import re
from pathlib import Path

PYPROJECT = (Path(__file__).parents[2] / "pyproject.toml").read_text()


def test_faststream_is_pinned_exactly_and_the_reason_stands_beside_it() -> None:
    """The consume pipeline replaces FastStream's parser and relies on when it commits: see the decision record on batch subscribers."""
    [line] = (line for line in PYPROJECT.splitlines() if '"faststream[' in line)
    assert re.search(r'"faststream\[kafka\]==\d+\.\d+\.\d+"', line), line
    assert len(line.partition("#")[2].split()) > 3, "why is it pinned?"


def test_the_lock_of_the_javascript_tests_names_no_host() -> None:
    lock = (Path(__file__).parents[1] / "javascript" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 100
