"""Brings the events to their endpoints, with the provider's patience and in the provider's order."""

import asyncio
import logging
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx

from deploy.standins.webhooks.faults import (
    CorruptSignature,
    Duplicate,
    FaultOfAttempt,
    OldTimestamp,
    Truncate,
    WrongSecret,
)
from deploy.standins.webhooks.hooks import Hooks
from deploy.standins.webhooks.outcomes import record_attempt

SIDE_BY_SIDE = 32
LONGEST_NAP_S = 1.0  # the clock may be moved by another hand than ours
KEPT_RESPONSE_CHARS = 2048

EVENT = (
    "SELECT event.*, endpoint.url, endpoint.secret, endpoint.signing FROM webhook_events AS event "
    "JOIN webhook_endpoints AS endpoint ON endpoint.id = event.endpoint_id WHERE event.state = 'pending' "
)
# The oldest one that was never tried and is still young enough to hold back those behind it.
HEAD = """
SELECT COALESCE(place, seq) FROM webhook_events
WHERE endpoint_id = :endpoint AND state = 'pending' AND first_attempt_at IS NULL
  AND next_attempt_at <= :now AND created_at > :now - :in_order_for
ORDER BY COALESCE(place, seq) LIMIT 1
"""
UNTRIED = EVENT + (
    "AND event.first_attempt_at IS NULL AND event.endpoint_id = :endpoint AND event.next_attempt_at <= :now "
    "AND COALESCE(event.place, event.seq) <= :last ORDER BY COALESCE(event.place, event.seq) LIMIT :limit"
)
TRIED = EVENT + (
    "AND event.first_attempt_at IS NOT NULL AND event.next_attempt_at <= :now ORDER BY event.next_attempt_at LIMIT :limit"
)
LAST = 2**62

log = logging.getLogger(__name__)


class Courier:
    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        timeout, limits = self._hooks.policy.timeout_s, httpx.Limits(max_keepalive_connections=SIDE_BY_SIDE)
        async with httpx.AsyncClient(timeout=timeout, limits=limits, follow_redirects=False, trust_env=False) as client:
            try:
                while True:
                    self._hooks.work_to_do.clear()
                    try:
                        self._start_due(client)
                    except Exception:
                        log.exception("webhooks that are due could not be started")
                    await self._wait_for_work()
            finally:
                for task in self._under_way.values():
                    task.cancel()

    async def finish(self) -> None:
        """Returns when no attempt is under way."""
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _start_due(self, client: httpx.AsyncClient) -> None:
        for event in self._due():
            if event["id"] not in self._under_way and len(self._under_way) < SIDE_BY_SIDE:
                self._under_way[event["id"]] = asyncio.create_task(self._attempt(client, event))

    def _due(self) -> list[sqlite3.Row]:
        database, policy = self._hooks.database, self._hooks.policy
        now = {"now": self._hooks.clock.now(), "limit": 2 * SIDE_BY_SIDE}
        due = database.rows(TRIED, now)
        for endpoint in database.rows("SELECT id FROM webhook_endpoints"):
            of = {**now, "endpoint": endpoint["id"], "in_order_for": policy.in_order_for_s}
            head = database.value(HEAD, of) if policy.in_order_for_s else None
            due += database.rows(UNTRIED, {**of, "last": LAST if head is None else head})
        return due

    async def _wait_for_work(self) -> None:
        now = self._hooks.clock.now()
        upcoming = self._hooks.database.value(
            "SELECT MIN(next_attempt_at) FROM webhook_events WHERE state = 'pending' AND next_attempt_at > ?", (now,)
        )
        nap_s = LONGEST_NAP_S if upcoming is None else min(LONGEST_NAP_S, upcoming - now)
        try:
            await asyncio.wait_for(self._hooks.work_to_do.wait(), max(nap_s, 0.001))
        except TimeoutError:
            return

    async def _attempt(self, client: httpx.AsyncClient, event: sqlite3.Row) -> None:
        try:
            code, response = await self._post(client, event)
            record_attempt(self._hooks, event, code, response)
            facts = {"webhook_id": event["id"], "type": event["type"], "status": code, "attempt": event["attempts"] + 1}
            log.info("webhook", extra={"facts": facts})
        except Exception:
            log.exception("a webhook attempt could not be recorded")
        finally:
            del self._under_way[event["id"]]
            self._hooks.work_to_do.set()

    async def _post(self, client: httpx.AsyncClient, event: sqlite3.Row) -> tuple[int | None, str]:
        fault = self._hooks.spoiling(event)
        headers, body = self._request(event, fault)
        copies = fault.copies if isinstance(fault, Duplicate) else 1
        answers = await asyncio.gather(*(self._send(client, event["url"], headers, body) for _ in range(copies)))
        return answers[0]

    def _request(self, event: sqlite3.Row, fault: FaultOfAttempt | None) -> tuple[Mapping[str, str], bytes]:
        """Signed now by real time, not the stand-in's: receivers refuse what is five minutes away from theirs."""
        age_s = fault.age_s if isinstance(fault, OldTimestamp) else 0.0
        secret = fault.secret if isinstance(fault, WrongSecret) else event["secret"]
        at = datetime.now(UTC) - timedelta(seconds=age_s)
        policy, payload = self._hooks.policy, event["payload"]
        headers = policy.signed(secret, event["signing"], event["id"], payload, at)
        if isinstance(fault, CorruptSignature):
            headers = policy.corrupted(headers)
        body = payload.encode()
        return headers, body[: len(body) // 2] if isinstance(fault, Truncate) else body

    async def _send(
        self, client: httpx.AsyncClient, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int | None, str]:
        try:
            async with asyncio.timeout(self._hooks.policy.timeout_s):  # of the whole, not of each read
                answer = await client.post(url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as failure:
            return None, repr(failure)
        return answer.status_code, answer.text[:KEPT_RESPONSE_CHARS]
