"""What both providers really did, from the stand-ins' own books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from tests.faults.checker.errors import CouldNotCheck
from tests.faults.checker.facts import Polar, Resend

REQUESTS_KEPT = 5_000
"""The stand-ins forget older ones: of a longer run, the last of its requests are judged."""


async def polar(client: httpx.AsyncClient, url: str) -> Polar:
    """Raises `CouldNotCheck`."""
    ledger = await _get(client, f"{url}/_admin/ledger")
    state = await _get(client, f"{url}/_admin/state")
    requests = await _get(client, f"{url}/_admin/requests?limit={REQUESTS_KEPT}")
    return Polar(
        ledger["entries"],
        requests["requests"],
        await _webhooks(client, url),
        state["refunds"].get("pending", 0),
    )


async def resend(client: httpx.AsyncClient, url: str) -> Resend:
    """Raises `CouldNotCheck`."""
    told = (await _get(client, f"{url}/_admin/emails"))["emails"]
    return Resend([_mail(mail) for mail in told], await _webhooks(client, url))


def _mail(told: Mapping[str, Any]) -> Mapping[str, Any]:
    kept = {name: told[name] for name in ("id", "idempotency_key", "created_at", "to", "subject", "last_event")}
    return kept | {"tags": {tag["name"]: tag["value"] for tag in told.get("tags") or ()}}


async def _webhooks(client: httpx.AsyncClient, url: str) -> frozenset[str]:
    told = await _get(client, f"{url}/_admin/webhook-events")
    return frozenset(event["id"] for event in told["events"])


async def _get(client: httpx.AsyncClient, url: str) -> Any:
    try:
        answer = await client.get(url)
        return answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        raise CouldNotCheck(f"{url} does not answer: {error!r}") from error
