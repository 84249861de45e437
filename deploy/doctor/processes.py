"""Asks each process how it is: `/readyz` says it, check by check. Behind the gateway of Compose, all replicas are asked by way of it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from deploy.doctor.findings import Finding, Level
from deploy.local.environment import SERVICES

ANSWER_SECONDS = 5.0
SKEW_SECONDS = 2.0
WORKERS_OWN = "consumers"
"""A check that every worker has, and no API."""
LEVELS: Mapping[str, Level] = {"pass": "ok", "warn": "warn", "fail": "fail"}


UNREADABLE = (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError, AttributeError)


async def look(addresses: Mapping[str, str]) -> list[Finding]:
    """`addresses` are base URLs by name, which begins with the service's."""
    async with httpx.AsyncClient(timeout=ANSWER_SECONDS, trust_env=False) as client:
        told = await asyncio.gather(*(_ask(client, name, url.rstrip("/")) for name, url in addresses.items()))
    findings = [finding for found in told for finding in found]
    return [*findings, *unasked(findings)]


async def _ask(client: httpx.AsyncClient, name: str, url: str) -> list[Finding]:
    asked = datetime.now(UTC)
    try:
        replicas = await client.get(f"{url}/processes")
        if replicas.is_success:
            return list(read_all(replicas.json()["processes"], asked, datetime.now(UTC)))
        document = (await client.get(f"{url}/readyz")).json()
        return list(read(name, document, asked, datetime.now(UTC)))
    except UNREADABLE as error:
        return [Finding("fail", name, "process", f"does not say how it is at {url} ({type(error).__name__})")]


def read_all(processes: Mapping[str, Mapping[str, Any]], asked: datetime, answered: datetime) -> Iterator[Finding]:
    """Pure. What the gateway tells of every replica of a service (`deploy/gateway/health.py`)."""
    for name, replicas in processes.items():
        if not replicas:
            yield Finding("fail", name, "process", "there is none")
        for at, document in replicas.items():
            where = name if len(replicas) == 1 else f"{name} {at}"
            try:
                yield from read(where, document, asked, answered)
            except UNREADABLE:
                yield Finding("fail", where, "process", f"does not say how it is at {at}")


def unasked(findings: Sequence[Finding]) -> Iterator[Finding]:
    """Pure. Of a service whose API answers and no worker of it: what only workers know is not known, and must not look well."""
    for service in SERVICES:
        its = [one for one in findings if one.where.startswith(service)]
        if any(one.check == "database" for one in its) and not any(one.check == WORKERS_OWN for one in its):
            yield Finding(
                "warn", f"{service} worker", "process", "none was asked: consumers and dead letters are not known"
            )


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
