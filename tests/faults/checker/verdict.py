"""What the checker says, for people and as JSON."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

VIOLATIONS_SHOWN = 20

Violation: TypeAlias = Mapping[str, Any]
"""`what` is the anomaly's name, as Jepsen's Kafka workload has it where it has one; the rest says where."""


def violation(what: str, **where: Any) -> Violation:
    return {"what": what, **where}


@dataclass(frozen=True)
class Finding:
    """`checked` is how many things were held against the invariant: 0 is no proof of anything."""

    checked: int
    violations: Sequence[Violation] = ()

    @classmethod
    def of(cls, checked: int, violations: Iterable[Violation]) -> Finding:
        return cls(checked, tuple(violations))

    @property
    def clean(self) -> bool:
        return not self.violations

    @property
    def shown(self) -> list[Violation]:
        """The first ones, of each kind some: a thousand of one kind hide nothing else."""
        seen: Counter[str] = Counter()
        ranked = []
        for each in self.violations:
            seen[each["what"]] += 1
            ranked.append((seen[each["what"]], each))
        return [each for _, each in sorted(ranked, key=lambda one: one[0])[:VIOLATIONS_SHOWN]]

    @property
    def kinds(self) -> Counter[str]:
        return Counter(str(each["what"]) for each in self.violations)


@dataclass(frozen=True)
class Verdict:
    figures: Mapping[str, Any]
    findings: Mapping[str, Finding]

    @property
    def clean(self) -> bool:
        return all(finding.clean for finding in self.findings.values())

    @property
    def unproven(self) -> list[str]:
        """Of which nothing was there to be looked at."""
        return [name for name, finding in self.findings.items() if finding.clean and not finding.checked]

    @property
    def word(self) -> str:
        """For people, and for the ledger."""
        if not self.clean:
            return "VIOLATED"
        return f"CLEAN, and unproven {', '.join(self.unproven)}" if self.unproven else "CLEAN"

    @property
    def broken(self) -> list[str]:
        return [name for name, finding in self.findings.items() if not finding.clean]

    def json(self) -> str:
        invariants = {
            name: {
                "clean": finding.clean,
                "checked": finding.checked,
                "kinds": dict(finding.kinds),
                "violations": finding.shown,
            }
            for name, finding in self.findings.items()
        }
        told = {"clean": self.clean, "figures": self.figures, "invariants": invariants}
        return json.dumps(told, indent=1, default=str, ensure_ascii=False)

    def table(self) -> str:
        rows = [
            f"{name:<4} {_word(one):<9} {one.checked:>8}  {_kinds(one)}".rstrip() for name, one in self.findings.items()
        ]
        figures = [f"{name:<28} {value}" for name, value in self.figures.items()]
        head = f"{'':<4} {'verdict':<9} {'checked':>8}"
        return "\n".join([head, *rows, "", *figures, "", self.word])


def _word(finding: Finding) -> str:
    if not finding.clean:
        return "VIOLATED"
    return "clean" if finding.checked else "unproven"


def _kinds(finding: Finding) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in finding.kinds.most_common())
