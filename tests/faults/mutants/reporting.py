"""`docs/mutants.md`: which invariant found which defect. A row stays until its mutant is played again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from deploy.local.environment import ROOT
from tests.faults.checker import Verdict
from tests.faults.mutants.catalogue import MUTANTS

PAGE = ROOT / "docs" / "mutants.md"
NOTHING = "NOTHING"
ROW = re.compile(r"^\| `([\w-]+)` \|.*\| (.+) \|$", re.MULTILINE)


def told(verdict: Verdict) -> str:
    """The invariants that were broken, and how."""
    found = (f"**{name}** {', '.join(verdict.findings[name].kinds)}" for name in verdict.broken)
    return "; ".join(found) or NOTHING


def known() -> dict[str, str]:
    """By mutant, what the page says that found it."""
    return dict(ROW.findall(PAGE.read_text())) if PAGE.exists() else {}


def write(found: Mapping[str, str]) -> None:
    PAGE.write_text(page({**known(), **found}))


def page(found: Mapping[str, str]) -> str:
    caught = sum(found.get(name, NOTHING) != NOTHING for name in MUTANTS)
    lines = [
        "# What the checker finds",
        "",
        "Written by `make mutants`. A checker that finds nothing may be blind, so each defect here is put into the product from outside",
        "(`tests/faults/mutants`), a scene is played, and the checker, which knows nothing of it, must say that something is wrong. The",
        "product as it is must be clean in the same scenes. [The checker's page](../tests/faults/checker/README.md) says what the",
        "invariants are.",
        "",
        f"**{caught} of {len(MUTANTS)} caught.**",
        "",
        "| mutant | the defect | scene | found by |",
        "|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.defect} | {one.scene} | {found.get(one.name, NOTHING)} |"
            for one in MUTANTS.values()
        ),
    ]
    return "\n".join(lines) + "\n"
