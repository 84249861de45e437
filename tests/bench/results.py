"""What was measured last, kept in the repository: `docs/benchmarks.json`, and its table in `docs/benchmarks.md`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from deploy.local.environment import ROOT
from tests.bench import table

FILE, PAGE = ROOT / "docs" / "benchmarks.json", ROOT / "docs" / "benchmarks.md"
BETWEEN = re.compile(r"(?<=<!-- table, written by `make bench` -->\n).*?(?=<!-- end of table -->)", re.DOTALL)

Results = Mapping[str, Mapping[str, Any]]


def kept() -> dict[str, Any]:
    """By the letter of the case."""
    return json.loads(FILE.read_text()) if FILE.exists() else {}


def keep(new: Results) -> None:
    """Cases that were not measured this time keep their figures of before."""
    everything = kept() | dict(new)
    FILE.write_text(json.dumps(everything, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    if PAGE.exists():
        PAGE.write_text(with_table(PAGE.read_text(), everything))


def with_table(page: str, results: Results) -> str:
    return BETWEEN.sub(lambda _: table.markdown(results), page)
