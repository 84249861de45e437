"""What so many lives came to: told while they are lived, and written down for the ledger of all runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

FILE = "report.json"
TOLD_EVERY, BREACHES_SHOWN, BREACH_MAX_CHARS = 50, 5, 400


@dataclass
class Report:
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, verdict: dict[str, Any]) -> None:
        """Tells at once of what was found, and now and then that it goes on."""
        self.verdicts.append(verdict)
        if verdict["breaches"] or len(self.verdicts) % TOLD_EVERY == 0:
            found = "".join(f"\n  {breach[:BREACH_MAX_CHARS]}" for breach in verdict["breaches"][:BREACHES_SHOWN])
            shrunk = f"\n  shrunk: make simulate REPLAY={verdict['shrunk']}" if verdict["shrunk"] else ""
            print(f"{len(self.verdicts)} seeds, the last {verdict['seed']}{found}{shrunk}", flush=True)  # noqa: T201

    @property
    def clean(self) -> bool:
        return bool(self.verdicts) and not self.breached

    @property
    def breached(self) -> list[dict[str, Any]]:
        return [one for one in self.verdicts if one["breaches"]]

    @property
    def per_minute(self) -> float:
        return len(self.verdicts) / self.seconds * 60 if self.seconds else 0

    @property
    def figures(self) -> Counter[str]:
        """Of all lives together."""
        total = Counter[str]()
        for one in self.verdicts:
            total.update(one["figures"])
        return total

    def summary(self) -> str:
        figures = ", ".join(f"{number} {name}" for name, number in self.figures.items())
        spent = sum(one["cpu_seconds"] for one in self.verdicts) / max(1, len(self.verdicts))
        verdict = "clean" if self.clean else f"{len(self.breached)} BREACHED"
        took = f"{self.seconds:.0f} s, {self.per_minute:.0f} a minute, {spent:.2f} s of a core each"
        return f"{len(self.verdicts)} seeds {verdict} in {took}: {figures}"

    def write(self, folder: Path, *, commit: str, date: str, first: int) -> None:
        """For `make proof`. Commit and date are those at which the first life began; breached seeds are told with their invariants."""
        told = {
            "commit": commit,
            "date": date,
            "first": first,
            "lives": len(self.verdicts),
            "breached": {
                one["seed"]: invariants(one["breaches"]) for one in sorted(self.breached, key=itemgetter("seed"))
            },
            "seconds": round(self.seconds, 1),
            "per_minute": round(self.per_minute),
            "figures": self.figures,
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(told, indent=1) + "\n")


def invariants(breaches: Iterable[str]) -> list[str]:
    """Their names, each once, in the order in which they were seen."""
    return list(dict.fromkeys(breach.partition(":")[0] for breach in breaches))
