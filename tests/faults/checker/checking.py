"""Collect the facts of a run, ask each invariant, write the verdict."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from tests.faults.checker import databases, logs, providers, topics
from tests.faults.checker.errors import CouldNotCheck
from tests.faults.checker.facts import Facts, Row, Tables
from tests.faults.checker.figures import figures
from tests.faults.checker.history import Call, Fault, Sample, lines
from tests.faults.checker.invariants import INVARIANTS
from tests.faults.checker.running import Run
from tests.faults.checker.verdict import Verdict

DAYS_AT_ONCE = 14
"""The most that one question about availability may ask for."""


async def check(run_folder: Path) -> Verdict:
    """Judge a run that is at rest, and write `verdict.json` into its folder. Raises `CouldNotCheck`."""
    verdict = judge(await collect(run_folder))
    (run_folder / "verdict.json").write_text(verdict.json())
    return verdict


def judge(facts: Facts) -> Verdict:
    """Pure."""
    findings = {name: examine(facts) for name, examine in INVARIANTS.items()}
    return Verdict(figures(facts), findings)


async def collect(run_folder: Path) -> Facts:
    """Raises `CouldNotCheck`."""
    run = Run.read(run_folder)
    rows = await databases.read(
        run.databases
    )  # first: what a row says was told is on its topic, or in the outbox of the same instant
    scan = await topics.scan(run.kafka, run.topic_prefix)
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        return Facts(
            run=run,
            databases=rows,
            all_records=scan.records,
            committed=scan.committed,
            ends=scan.ends,
            polar=await providers.polar(client, run.polar),
            resend=await providers.resend(client, run.resend),
            history=[Call.read(line) for line in lines(run_folder / "history.jsonl")],
            faults=[Fault.read(line) for line in lines(run_folder / "faults.jsonl", may_be_missing=True)],
            samples=[Sample.read(line) for line in lines(run_folder / "live.jsonl", may_be_missing=True)],
            loud_lines=list(logs.loud_lines(run.logs, run.canaries)),
            availability=await _availability(client, run.booking, rows["booking"]),
        )


async def _availability(client: httpx.AsyncClient, url: str | None, booking: Tables) -> list[Row]:
    """Of every venue, from tomorrow to its horizon: today changes with each slot that begins."""
    if url is None:
        return []
    found = []
    for venue in booking["venues"]:
        for ahead in range(1, venue["booking_horizon_days"], DAYS_AT_ONCE):
            day = datetime.now(UTC).date() + timedelta(days=ahead)
            query = {"venue_id": venue["id"], "from": day.isoformat(), "days": DAYS_AT_ONCE, "include": "unavailable"}
            found.append(await _ask(client, f"{url}/v1/availability", query))
    return found


async def _ask(client: httpx.AsyncClient, url: str, query: dict[str, Any]) -> Row:
    try:
        answer = await client.get(url, params=query)
        found: Row = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise CouldNotCheck(f"{url} does not answer: {error!r}") from error
    return found
