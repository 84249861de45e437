"""Asks each process how it is: `/readyz` says it, check by check."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from deploy.doctor.findings import Finding, Level

ANSWER_SECONDS = 5.0
SKEW_SECONDS = 2.0
LEVELS: Mapping[str, Level] = {"pass": "ok", "warn": "warn", "fail": "fail"}


async def look(addresses: Mapping[str, str]) -> list[Finding]:
    """`addresses` are base URLs by name."""
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        told = await asyncio.gather(*(_ask(client, name, url) for name, url in addresses.items()))
    return [finding for findings in told for finding in findings]


async def _ask(client: httpx.AsyncClient, name: str, url: str) -> list[Finding]:
    asked = datetime.now(UTC)
    try:
        document = (await client.get(f"{url.rstrip('/')}/readyz")).json()
        return list(read(name, document, asked, datetime.now(UTC)))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError) as error:
        return [Finding("fail", name, "process", f"does not say how it is at {url} ({type(error).__name__})")]


def read(name: str, document: Mapping[str, Any], asked: datetime, answered: datetime) -> Iterator[Finding]:
    """Pure. The checks of a health+json document, and its clock against ours."""
    for check, [result] in document["checks"].items():
        level = LEVELS[result["status"]]
        since = "" if level == "ok" else f" (since {result['since']})"
        yield Finding(level, name, check, f"{result['output']}{since}")
    at = max(datetime.fromisoformat(result["time"]) for [result] in document["checks"].values())
    off = min(((at - edge).total_seconds() for edge in (asked, answered)), key=abs)
    if not asked <= at <= answered and abs(off) > SKEW_SECONDS:
        yield Finding("warn", name, "clock", f"its clock is {off:+.1f} s off this machine's")
