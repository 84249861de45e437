"""The ledger of all runs: `docs/proof.jsonl` has one line for each, `docs/proof.md` is written from it.

`python -m tests.faults.proof [RUN_FOLDER ...]` adds runs of `make faults` and of `make simulate`, when there are some, and writes the page.
A line of the sort `found` is written by hand, when one has found something: the seed and the commit of the run, what it was and what
became of it. Lines of the sort `lives` were, up to 834bf29, and say less than those that are not.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from deploy.local.environment import ROOT
from tests.faults import checking, reporting
from tests.simulation.reporting import FILE as REPORT

LEDGER, PAGE = ROOT / "docs" / "proof.jsonl", ROOT / "docs" / "proof.md"

HEAD = """\
# The proof

Written by `make proof` from `docs/proof.jsonl`, which has one line for each run; a test compares.

A storm (`make faults SEED=7 MINUTES=5`) runs the whole system as child processes with a proxy on every link, lets players, staff and
attackers loose on it, and breaks it all the while by a plan that was written before: processes are killed, frozen and die at named
points, the broker and the database crash, links are cut and lose answers, the providers fail and lose their webhooks, records come twice
and in any order. When everything works again and nothing is left to do, a checker that shares no code with the services judges it by
seventeen invariants: from the databases, all topics, the providers' own ledgers and what the clients were told. A seed gives the same
plan for the same commit; the run itself is as random as processes and networks are.
"""

RUN_COLUMNS = {
    "date": "date",
    "seed": "seed",
    "commit": "commit",
    "minutes": "minutes",
    "bookings": "bookings",
    "charges": "charges",
    "refunds": "refunds",
    "mails": "mails",
    "faults": "faults",
    "kinds": "kinds",
    "kills": "kills",
    "broker_crashes": "broker crashes",
    "database_crashes": "database crashes",
    "drain_seconds": "drained in s",
    "limits": "limits",
    "verdict": "verdict",
}
LIVES_COLUMNS = {
    "date": "date",
    "commit": "commit",
    "first": "first seed",
    "lives": "lives",
    "per_minute": "a minute",
    "verdict": "verdict",
}
COUNTED = ("bookings", "confirmed", "events", "mails", "charges", "refunds")
"""By the checker, from the databases and ledgers."""
WITHIN, BUSY = "", "busy"
DRAINED = """\
Bookings, charges, refunds and mails are counted by the checker, from the databases and the providers' ledgers. Faults that struck
nothing, since another one had just taken away what they were after, are not counted (up to 7bf26bb they were). Drained: from the
moment at which nothing was broken any more and the last visitor had gone, until nothing was left to do. Limits `busy`: a machine with
other things to do, whose slowness is not judged. Unproven is an invariant for which there was nothing to look at."""
SUMS = ("minutes", "bookings", "charges", "refunds", "mails", "faults", "kills", "broker_crashes", "database_crashes")


def main(folders: Sequence[str]) -> None:
    with LEDGER.open("a") as ledger:
        for folder in folders:
            ledger.write(json.dumps(line(Path(folder)), ensure_ascii=False) + "\n")
    PAGE.write_text(page(read()))


def read() -> list[dict[str, Any]]:
    return [json.loads(text) for text in LEDGER.read_text().splitlines()]


def line(folder: Path) -> dict[str, Any]:
    """What is kept of a storm, or of a run of the simulation."""
    report = folder / REPORT
    return _line_of_lives(json.loads(report.read_text())) if report.exists() else _line_of_a_run(folder)


def _line_of_lives(report: dict[str, Any]) -> dict[str, Any]:
    kept = {name: report[name] for name in ("date", "commit", "first", "lives", "seconds", "per_minute")}
    counted = {name: report["figures"].get(name) for name in ("deaths", "bookings")}
    return {"sort": "lives", **kept, **counted, "verdict": _verdict_on_lives(report["lives"], report["breached"])}


def _verdict_on_lives(lives: int, breached: dict[str, list[str]]) -> str:
    if not breached:
        return "clean"
    seeds: dict[str, list[str]] = {}
    for seed, names in breached.items():
        seeds.setdefault(", ".join(names), []).append(seed)
    return "; ".join(
        [f"{lives - len(breached):,} clean", *(f"{names} in {', '.join(seeds[names])}" for names in seeds)]
    )


def _line_of_a_run(folder: Path) -> dict[str, Any]:
    told = reporting.figures(folder)
    verdict = checking.verdict(folder)
    counted = {name: verdict["figures"].get(name) for name in COUNTED}
    broken = sorted(checking.violated(folder), key=lambda name: int(name.removeprefix("I")))
    unproven = [name for name, found in verdict["invariants"].items() if not found["checked"]]
    clean = f"clean, unproven {', '.join(unproven)}" if unproven else "clean"
    return {"sort": "run", **told, **counted, "verdict": ", ".join(broken) or clean}


def page(ledger: Iterable[dict[str, Any]]) -> str:
    entries = list(ledger)
    runs = [entry for entry in entries if entry["sort"] == "run"]
    found = [entry for entry in entries if entry["sort"] == "found"]
    lives = [entry for entry in entries if entry["sort"] == "lives"]
    return "\n".join([HEAD, *_sums(runs, lives), *_lives(lives), *_found(found), *_runs(runs)]) + "\n"


def _limits(run: dict[str, Any]) -> str:
    return BUSY if run["busy"] else WITHIN


def _sums(runs: list[dict[str, Any]], lives: list[dict[str, Any]]) -> list[str]:
    sums = {name: sum(run[name] or 0 for run in runs) for name in SUMS}
    told = (
        f"| {RUN_COLUMNS[name]} | {sums[name]:,g} |"
        if name == "minutes"
        else f"| {RUN_COLUMNS[name]} | {sums[name]:,} |"
        for name in SUMS
    )
    clean = Counter(_limits(run) for run in runs if run["verdict"] == "clean")
    return [
        "## All runs together",
        "",
        "| | |",
        "|---|---|",
        f"| runs | {len(runs)} |",
        f"| clean | {clean[WITHIN]} |",
        f"| clean within the limits of a busy machine | {clean[BUSY]} |",
        *told,
        f"| simulated lives | {sum(each['lives'] for each in lives):,} |",
        "",
    ]


def _lives(lives: list[dict[str, Any]]) -> list[str]:
    """Of the simulation."""
    if not lives:
        return []
    rows = [f"| {' | '.join(_shown(each.get(name, '')) for name in LIVES_COLUMNS)} |" for each in lives]
    told = "`make simulate`: lives of the three services in one process, each drawn from its seed, crashes between any two steps among it."
    return [
        "## Simulated lives",
        "",
        told,
        "",
        f"| {' | '.join(LIVES_COLUMNS.values())} |",
        "|---" * len(LIVES_COLUMNS) + "|",
        *rows,
        "",
    ]


def _found(found: list[dict[str, Any]]) -> list[str]:
    """Runs with violations stay in the table of runs; this says what became of them."""
    rows = [f"| {each['seed']} | {each['commit']} | {each['what']} | {each['became']} |" for each in found]
    head = "| seed | commit | what was seen | what became of it |"
    return ["## What was found", "", head, "|---|---|---|---|", *rows, ""]


def _runs(runs: list[dict[str, Any]]) -> list[str]:
    head = f"| {' | '.join(RUN_COLUMNS.values())} |"
    shown = [run | {"limits": _limits(run)} for run in runs]
    rows = [f"| {' | '.join(_shown(run[name]) for name in RUN_COLUMNS)} |" for run in shown]
    return ["## Each run", "", DRAINED, "", head, "|---" * len(RUN_COLUMNS) + "|", *rows]


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    main(sys.argv[1:])
