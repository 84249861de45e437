"""`docs/mutants.md`: which invariant found which defect. A row stays until its mutant is played again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeAlias

from deploy.local.environment import ROOT
from tests.faults.checker import Verdict
from tests.faults.mutants.catalogue import MUTANTS, Mutant

PAGE = ROOT / "docs" / "mutants.md"
NOTHING = "NOTHING"
ROW = re.compile(r"^\| `([\w-]+)` \|.*\| ([0-9a-f]+\+?) \| (.+) \|$", re.MULTILINE)
Found: TypeAlias = Mapping[str, tuple[str, str]]
"""By mutant: the commit at which it was played, and what found it."""


def told(verdict: Verdict) -> str:
    """The invariants that were broken, and how."""
    found = (f"**{name}** {', '.join(verdict.findings[name].kinds)}" for name in verdict.broken)
    return "; ".join(found) or NOTHING


def known() -> Found:
    """What the page says."""
    rows = ROW.findall(PAGE.read_text()) if PAGE.exists() else []
    return {name: (commit, what) for name, commit, what in rows}


def write(found: Found) -> None:
    PAGE.write_text(page({**known(), **found}))


def is_caught(mutant: Mutant, found: Found) -> bool:
    """By the invariant that it breaks, whatever others say."""
    return f"**{mutant.breaks}**" in found.get(mutant.name, ("", NOTHING))[1]


def page(found: Found) -> str:
    caught = sum(is_caught(mutant, found) for mutant in MUTANTS.values())
    lines = [
        "# What the checker finds",
        "",
        "Written by `make mutants`. A checker that finds nothing may be blind, so each defect here is put into the product from outside",
        "(`tests/faults/mutants`), a scene is played, and the checker, which knows nothing of it, must say that something is wrong. The",
        "product as it is must be clean in the same scenes. Caught is what the invariant finds that it breaks; others may see it, too.",
        "[The checker's page](../tests/faults/checker/README.md) says what the invariants are.",
        "",
        f"**{caught} of {len(MUTANTS)} caught.**",
        "",
        "| mutant | the defect | breaks | scene | commit | found by |",
        "|---|---|---|---|---|---|",
        *(
            f"| `{one.name}` | {one.defect} | {one.breaks} | {one.scene} | {' | '.join(found.get(one.name, ('', NOTHING)))} |"
            for one in MUTANTS.values()
        ),
    ]
    return "\n".join(lines) + "\n"
