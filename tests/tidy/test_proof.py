from __future__ import annotations

from tests.faults import proof


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
