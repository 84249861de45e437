"""What a run came to, from its folder: for people who wait for it, and as one line for the ledger of all runs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.faults.checker.history import Fault

BROKER_CRASHES = frozenset({"broker_kill", "kill_everything"})
DATABASE_CRASHES = frozenset({"postgres_crash", "kill_everything"})
KILLS = frozenset({"kill", "kill_everything"})
PROCESSES_OF_ALL = 7


def figures(folder: Path) -> dict[str, Any]:
    """Counted by the harness: what was played, and what clients were told."""
    run = json.loads((folder / "run.json").read_text())
    faults = list(_lines(folder / "faults.jsonl"))
    played = [fault for fault in faults if Fault.read(fault).hit]
    calls = Counter(f"{call['outcome']} {call['op']}" for call in _lines(folder / "history.jsonl"))
    kinds = Counter(Fault.read(fault).came_to for fault in played)
    return {
        "seed": run["seed"],
        "minutes": run["minutes"],
        "commit": run["commit"],
        "date": run["started_at"][:10],
        "busy": run.get("busy", False),
        "holds": calls["ok hold"],
        "payments": calls["ok pay"],
        "cancellations": calls["ok cancel"],
        "unknown": sum(count for name, count in calls.items() if name.startswith("info ")),
        "faults": len(played),
        "kinds": len(kinds),
        "kills": _kills(played),
        "broker_crashes": sum(kinds[kind] for kind in BROKER_CRASHES),
        "database_crashes": sum(kinds[kind] for kind in DATABASE_CRASHES),
        "drain_seconds": run["drain_seconds"],
        "left": run["left"],
    }


def _kills(played: list[dict[str, Any]]) -> int:
    """Processes of services that ended by SIGKILL, those that killed themselves at a point among them."""
    by_fault = (
        PROCESSES_OF_ALL if fault["kind"] == "kill_everything" else _killed(fault["details"]) for fault in played
    )
    return sum(by_fault)


def _killed(details: dict[str, Any]) -> int:
    return 1 if details.get("killed") or "reached" in details else 0


def show(folder: Path, console: Console) -> None:
    told = figures(folder)
    table = Table(show_header=False, title=f"Seed {told.pop('seed')}")
    for name, value in told.items():
        table.add_row(name.replace("_", " "), json.dumps(value, ensure_ascii=False))
    console.print(table)
    by_kind = Counter(fault["kind"] for fault in _lines(folder / "faults.jsonl"))
    console.print(", ".join(f"{kind} {count}" for kind, count in sorted(by_kind.items())))
    verdict = folder / "verdict.txt"
    if verdict.exists():
        console.print(verdict.read_text(), markup=False, highlight=False, soft_wrap=True)


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, file.read_text().splitlines())
