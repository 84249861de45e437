"""Brings the events to their endpoints, with Polar's patience and Polar's order."""

import asyncio
import logging
import random
import sqlite3

import httpx

from deploy.standins.polar import shapes
from deploy.standins.polar.state import Standin
from deploy.standins.polar.webhooks import signed_headers

ATTEMPTS = 10
FIRST_WAIT_S = 2.0
LONGEST_WAIT_S = 10 * 60  # before chance doubles it
IN_ORDER_FOR_S = 60  # an older event without any attempt holds back the newer ones this long
FAILURES_TO_DISABLE = 10  # completed events in a row
SIDE_BY_SIDE = 32
LONGEST_NAP_S = 1.0  # the clock may be moved by another hand than ours
KEPT_RESPONSE_CHARS = 2048

# Due, and not overtaking: first attempts of an endpoint go one after the other, retries go beside them.
DUE = """
SELECT event.*, endpoint.url FROM webhook_events AS event
JOIN webhook_endpoints AS endpoint ON endpoint.id = event.endpoint_id
WHERE event.state = 'pending' AND event.next_attempt_at <= :now AND (
  event.first_attempt_at IS NOT NULL OR NOT EXISTS (
    SELECT 1 FROM webhook_events AS older
    WHERE older.endpoint_id = event.endpoint_id AND older.state = 'pending' AND older.seq < event.seq
      AND older.first_attempt_at IS NULL AND older.created_at > :now - :in_order_for))
ORDER BY event.seq LIMIT :limit
"""

log = logging.getLogger(__name__)


class Courier:
    def __init__(self, standin: Standin) -> None:
        self._standin = standin
        self._under_way: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        timeout = self._standin.settings.webhook_timeout_s
        async with httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False) as client:
            try:
                while True:
                    self._standin.work_to_do.clear()
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
        parameters = {"now": self._standin.clock.now(), "in_order_for": IN_ORDER_FOR_S, "limit": 2 * SIDE_BY_SIDE}
        for event in self._standin.database.rows(DUE, parameters):
            if event["id"] not in self._under_way and len(self._under_way) < SIDE_BY_SIDE:
                self._under_way[event["id"]] = asyncio.create_task(self._attempt(client, event))

    async def _wait_for_work(self) -> None:
        upcoming = self._standin.database.value(
            "SELECT MIN(next_attempt_at) FROM webhook_events WHERE state = 'pending' AND next_attempt_at > ?",
            (self._standin.clock.now(),),
        )
        nap_s = LONGEST_NAP_S if upcoming is None else min(LONGEST_NAP_S, upcoming - self._standin.clock.now())
        try:
            await asyncio.wait_for(self._standin.work_to_do.wait(), max(nap_s, 0.001))
        except TimeoutError:
            return

    async def _attempt(self, client: httpx.AsyncClient, event: sqlite3.Row) -> None:
        try:
            code, response = await self._post(client, event)
            record_attempt(self._standin, event["id"], code, response)
            facts = {"webhook_id": event["id"], "type": event["type"], "status": code, "attempt": event["attempts"] + 1}
            log.info("webhook", extra={"facts": facts})
        except Exception:
            log.exception("a webhook attempt could not be recorded")
        finally:
            del self._under_way[event["id"]]
            self._standin.work_to_do.set()

    async def _post(self, client: httpx.AsyncClient, event: sqlite3.Row) -> tuple[int | None, str]:
        payload = event["payload"]
        headers = signed_headers(self._standin, event["id"], payload)
        try:
            async with asyncio.timeout(self._standin.settings.webhook_timeout_s):  # of the whole, not of each read
                answer = await client.post(event["url"], content=payload, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as failure:
            return None, repr(failure)
        return answer.status_code, answer.text[:KEPT_RESPONSE_CHARS]


def record_attempt(standin: Standin, event_id: str, code: int | None, response: str) -> None:
    now = standin.clock.now()
    with standin.database.transaction():
        event = standin.database.row("SELECT * FROM webhook_events WHERE id = ?", (event_id,))
        if event is None:  # the books were started over meanwhile
            return
        succeeded = code is not None and 200 <= code < 300  # noqa: PLR2004 - 2xx; a redirect is a failure
        attempts = event["attempts"] + 1
        state = "succeeded" if succeeded else "failed" if attempts >= ATTEMPTS else "pending"
        standin.database.execute(
            "INSERT INTO webhook_deliveries (id, event_id, at, succeeded, http_code, response) VALUES (?, ?, ?, ?, ?, ?)",
            (shapes.new_id(), event_id, now, succeeded, code, response),
        )
        standin.database.execute(
            "UPDATE webhook_events SET state = ?, attempts = ?, next_attempt_at = ?, last_http_code = ?, "
            "first_attempt_at = COALESCE(first_attempt_at, ?) WHERE id = ?",
            (state, attempts, now + _wait_s(standin, attempts), code, now, event_id),
        )
        if state == "failed":
            _disable_if_hopeless(standin, event["endpoint_id"])


def _wait_s(standin: Standin, attempts: int) -> float:
    """After the n-th attempt 2 s x 2^n, up to doubled by chance: 4-8 s, 8-16 s, ... 10-20 min."""
    wait_s: float = min(FIRST_WAIT_S * 2.0**attempts, LONGEST_WAIT_S)
    return wait_s * random.uniform(1, 2) * standin.settings.webhook_time_scale  # noqa: S311 - spreads load, guards nothing


def _disable_if_hopeless(standin: Standin, endpoint_id: str) -> None:
    latest = standin.database.rows(
        "SELECT state FROM webhook_events WHERE endpoint_id = ? AND state IN ('succeeded', 'failed') "
        "ORDER BY (SELECT MAX(at) FROM webhook_deliveries WHERE event_id = webhook_events.id) DESC, seq DESC LIMIT ?",
        (endpoint_id, FAILURES_TO_DISABLE),
    )
    if [row["state"] for row in latest] == ["failed"] * FAILURES_TO_DISABLE:
        standin.database.execute("UPDATE webhook_endpoints SET enabled = 0 WHERE id = ?", (endpoint_id,))
        standin.database.execute(
            "UPDATE webhook_events SET state = 'skipped' WHERE endpoint_id = ? AND state = 'pending'", (endpoint_id,)
        )
        log.warning("webhook endpoint disabled", extra={"facts": {"endpoint_id": endpoint_id}})


def redeliver(standin: Standin, event_id: str) -> None:
    """Ten new attempts, beginning now, also for an endpoint that was disabled."""
    standin.database.execute(
        "UPDATE webhook_events SET state = 'pending', attempts = 0, next_attempt_at = ? WHERE id = ?",
        (standin.clock.now(), event_id),
    )
    standin.work_to_do.set()
