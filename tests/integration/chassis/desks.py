"""A desk of dead letters on the bench: its API in this process, its worker, its relay and its jobs of the clock."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from structlog.testing import capture_logs

from deploy import tokens
from deploy.local.keys import ensure_keys
from services.chassis import crons, http, idempotency, limits
from services.chassis.auth import TokenVerifier
from services.chassis.dead_letters import api
from services.chassis.dead_letters.crons import crons as dead_letter_crons
from services.chassis.dead_letters.dependencies import PREFIX
from services.chassis.dead_letters.domain import Desk
from services.chassis.doorbell import Doorbell
from services.chassis.relay import Relay
from services.chassis.service import Chassis
from tests.integration.chassis.conftest import Bench, Noted, until

BECAUSE = {"reason": "the handler is mended"}


@dataclass
class DeskBench:
    bench: Bench
    client: httpx.AsyncClient
    keys: Path
    desk: Desk

    @classmethod
    @asynccontextmanager
    async def open(cls, bench: Bench, keys: Path) -> AsyncIterator[DeskBench]:
        ensure_keys(keys)
        async with bench.database.engine.begin() as connection:
            for metadata in (crons.METADATA, idempotency.METADATA, limits.METADATA):
                await connection.run_sync(metadata.create_all)
        settings = bench.settings.model_copy(update={"environment": "test", "jwks_file": keys / "jwks.json"})
        desk = Desk(settings.service, bench.consumers.by_type)
        doorbell = Doorbell(settings.database_url.get_secret_value())
        clock = bench.unit_of_work.clock
        chassis = Chassis(settings, bench.database, clock, bench.unit_of_work, doorbell)  # type: ignore[arg-type]  # one that is the database's
        app = http.create_app(
            settings, "Desk", 65_536, [api.router()], chassis=chassis, desk=desk, verifier=TokenVerifier(settings)
        )
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        # Nobody reads what a worker logs here, and to render the traces of so many failures takes longer than all the rest.
        with capture_logs():
            async with httpx.AsyncClient(transport=transport, base_url="http://desk.test", trust_env=False) as client:
                yield cls(bench, client, keys, desk)

    async def ask(
        self, method: str, path: str = "", body: Any = None, role: str | None = "admin", **more: Any
    ) -> httpx.Response:
        headers = {"Content-Type": "application/json", **more.pop("headers", {})}
        if role:
            token = tokens.mint(self.keys, f"{role}@example.com", role, tokens.Role(role))
            headers["Authorization"] = f"Bearer {token}"
        # Escaped, since a client may send what cannot be UTF-8.
        content = None if body is None else json.dumps(body)
        return await self.client.request(method, PREFIX + path, content=content, headers=headers, **more)

    async def letters(self, **filters: Any) -> list[dict[str, Any]]:
        """All pages, the oldest first."""
        found: list[dict[str, Any]] = []
        asked: dict[str, Any] = {"limit": 100, **filters}
        while True:
            page = await self.ask("GET", params=asked)
            assert page.status_code == 200, page.text
            found += page.json()["items"]
            if not (cursor := page.json()["next_cursor"]):
                return found[::-1]
            asked["cursor"] = cursor

    async def count(self, state: str) -> int:
        async with self.bench.database.engine.connect() as connection:
            found = text("SELECT count(*) FROM dead_letters WHERE state = :state")
            return int((await connection.execute(found, {"state": state})).scalar_one())

    async def until_letters(self, wanted: int, state: str = "open") -> list[dict[str, Any]]:
        await until(f"{wanted} letters {state}", lambda: self.count(state), lambda count: count == wanted)
        return await self.letters(state=state)

    async def show(self, letter: dict[str, Any]) -> dict[str, Any]:
        shown = await self.ask("GET", f"/{letter['id']}")
        assert shown.status_code == 200, shown.text
        told: dict[str, Any] = shown.json()
        return told

    async def until_state(self, letter: dict[str, Any], state: str) -> dict[str, Any]:
        told: dict[str, Any] = await until(
            f"letter {state}", lambda: self.show(letter), lambda seen: seen["state"] == state
        )
        return told

    async def die(self, count: int, kind: type[Noted] = Noted) -> list[dict[str, Any]]:
        """So many letters of events that can be handled once the bench is mended."""
        await self.bench.publish(*(kind(name="a", number=number, fails="while broken") for number in range(count)))
        return await self.until_letters(count)

    async def age(self, letter: dict[str, Any], by: timedelta) -> None:
        """As if it had been decided so long ago."""
        older = text("UPDATE dead_letters SET decided_at = decided_at - CAST(:by AS interval) WHERE id = :id")
        async with self.bench.database.engine.begin() as connection:
            await connection.execute(older, {"by": by, "id": letter["id"]})

    async def forget_outbox(self) -> None:
        """What was to be sent is lost."""
        async with self.bench.database.engine.begin() as connection:
            await connection.execute(text("DELETE FROM outbox"))

    async def actions(self) -> list[Any]:
        found = text(
            "SELECT action, actor_id, reason, dead_letter_ids, redrive_id FROM dead_letter_actions ORDER BY at"
        )
        async with self.bench.database.engine.connect() as connection:
            return list((await connection.execute(found)).all())

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Consumers, mirror, relay and jobs of the clock, until the block ends."""
        stopping = asyncio.Event()
        relay = Relay(self.bench.settings, self.bench.settings.database_url.get_secret_value())
        jobs = (cron.keep(self.bench.unit_of_work, stopping) for cron in dead_letter_crons(self.desk))
        tasks = [asyncio.create_task(part) for part in (relay.run(stopping), *jobs)]
        try:
            async with self.bench.working():
                yield
        finally:
            stopping.set()
            await asyncio.gather(*tasks)


def bytes_of(shown: dict[str, Any]) -> bytes | None:
    """What the API shows as text or base64, back to bytes."""
    encoding, data = shown["encoding"], shown["data"]
    if encoding == "none":
        return None
    if encoding == "base64":
        return base64.b64decode(data)
    assert encoding == "text"
    return str(data).encode()
