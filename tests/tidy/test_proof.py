from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.faults import proof
from tests.simulation.reporting import Report

FIGURES = {"turns": 900, "deaths": 3, "bookings": 7}
KNOWN: dict[str, Any] = {"commit": "984a655+", "date": "2026-11-28", "first": 1438}


def test_the_page_of_the_proof_is_what_its_ledger_says() -> None:
    assert proof.page(proof.read()) == proof.PAGE.read_text(), "run `make proof`"


def test_a_violation_that_was_seen_is_explained() -> None:
    ledger = proof.read()
    explained = {(entry["seed"], entry["commit"]) for entry in ledger if entry["sort"] == "found"}
    unclean = {
        (entry["seed"], entry["commit"])
        for entry in ledger
        if entry["sort"] == "run" and "clean" not in entry["verdict"]
    }
    assert unclean <= explained


def test_what_simulated_lives_have_broken_is_explained() -> None:
    """Of one commit, by one line: four seeds may have found the same."""
    ledger = proof.read()
    explained = {entry["commit"] for entry in ledger if entry["sort"] == "found"}
    unclean = {entry["commit"] for entry in ledger if entry["sort"] == "lives" and entry["verdict"] != "clean"}
    assert unclean <= explained


@pytest.mark.parametrize(
    ("breaches", "verdict"),
    [
        ({}, "clean"),
        ({1439: ["I9: another answer", "I9: and another"]}, "1,499 clean; I9 in 1439"),
        (
            {1439: ["I9: another answer"], 2025: ["I9: another answer"], 2188: ["I1: two", "I3: none"]},
            "1,497 clean; I9 in 1439, 2025; I1, I3 in 2188",
        ),
    ],
)
def test_lives_enter_the_ledger_by_what_the_simulation_wrote_of_them(
    tmp_path: Path, breaches: dict[int, list[str]], verdict: str
) -> None:
    lived = [
        {"seed": seed, "breaches": breaches.get(seed, []), "figures": FIGURES, "shrunk": ""}
        for seed in range(1438, 2938)
    ]
    Report(lived, seconds=120.0).write(tmp_path, **KNOWN)
    line = proof.line(tmp_path)
    assert line == {
        "sort": "lives",
        **KNOWN,
        "lives": 1500,
        "seconds": 120.0,
        "per_minute": 750,
        "deaths": 4500,
        "bookings": 10_500,
        "verdict": verdict,
    }
    assert f"| 2026-11-28 | 984a655+ | 1,438 | 1,500 | 750 | {verdict} |" in proof.page([line])


def test_lives_of_which_nobody_wrote_how_fast_they_were_lived_stay_in_the_ledger() -> None:
    line = {"sort": "lives", **KNOWN, "lives": 5000, "verdict": "clean"}
    assert "| 2026-11-28 | 984a655+ | 1,438 | 5,000 |  | clean |" in proof.page([line])
