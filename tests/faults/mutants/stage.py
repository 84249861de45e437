"""One play: its services, with a defect or none, and the folder of its run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from aiokafka import AIOKafkaProducer

from deploy.local.environment import SERVICES
from deploy.local.processes import Part
from tests.e2e.groups import administering, caught_up, groups_of
from tests.faults.mutants.catalogue import VARIABLE
from tests.faults.mutants.history import History
from tests.stack import TestStack

RETRY_DELAYS_SECONDS = (1.0, 2.0, 3.0, 4.0)
CALL_SECONDS = 2.0
"""Of one call to the mail provider."""
SETTINGS = {
    "booking": {},
    "payments": {"PAYMENTS_UNSETTLED_SECONDS": "1", "PAYMENTS_RECONCILE_EVERY_SECONDS": "5"},
    "notifications": {
        "NOTIFICATIONS_RESEND_PER_SECOND": "1000",
        "NOTIFICATIONS_RESEND_CALL_SECONDS": str(CALL_SECONDS),
    },
}
READY_SECONDS = 150.0
"""Two stages beside each other, on a machine that has other work."""
REST_SECONDS = 60.0
"""How long a play may take to come to rest. A defect may keep it from that for ever."""


@dataclass
class Stage:
    """`databases` by service; `prefix` is that of its topics."""

    stack: TestStack
    client: httpx.AsyncClient
    mutant: str | None
    folder: Path
    databases: Mapping[str, str]
    prefix: str
    history: History
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def url(self, part: str) -> str:
        return self.stack.installation.url(part)

    async def start(self, service: str, **changes: str) -> None:
        """Through the program of the mutants, which leaves the product as it is where there is none."""
        part = self._begin(service, **changes)
        await self.stack.processes.until_ready(part)

    async def dies(self, service: str, point: str) -> None:
        """Started, it kills itself at this point, or is stopped when it never comes there."""
        self._begin(service, COURTSIDE_CRASH_AT=point)
        with contextlib.suppress(TimeoutError):
            await self._until_dead(service)
        await self.stack.stop(service)

    async def _until_dead(self, service: str) -> None:
        async with asyncio.timeout(REST_SECONDS):
            while self.stack.processes.running(service):  # noqa: ASYNC110 - it is another process
                await asyncio.sleep(0.1)

    def _begin(self, service: str, **changes: str) -> Part:
        delays = json.dumps([f"PT{seconds}S" for seconds in RETRY_DELAYS_SECONDS])
        own = {"DATABASE_URL": self.databases[service], "TOPIC_PREFIX": self.prefix, "RETRY_DELAYS": delays}
        told = {f"{service.upper()}_{name}": value for name, value in own.items()} | SETTINGS[service] | changes
        environment = self.stack.environment(service, **told) | ({VARIABLE: self.mutant} if self.mutant else {})
        command = (sys.executable, "-m", "tests.faults.mutants", f"services.{service}", "all")
        part = Part(service, command, environment, f"{self.url(service)}/readyz", ready_seconds=READY_SECONDS)
        self.stack.processes.start(part)
        return part

    async def fetch(self, service: str, query: str, *arguments: object) -> list[Any]:
        connection = await asyncpg.connect(self.databases[service])
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def produce(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Past every service, without any header."""
        async with AIOKafkaProducer(bootstrap_servers=self.stack.bootstrap) as producer:
            await producer.send_and_wait(self.prefix + topic, value, key)

    async def comes_to_rest(self) -> bool:
        """Nothing is left to be sent, to be read or to be told by a provider; twice in a row, since each may wake the other."""
        deadline, quiet = asyncio.get_running_loop().time() + REST_SECONDS, 0
        while asyncio.get_running_loop().time() < deadline:
            quiet = quiet + 1 if await self._is_quiet() else 0
            if quiet == 3:
                return True
            await asyncio.sleep(0.3)
        return False

    async def _is_quiet(self) -> bool:
        for service in SERVICES:
            if await self.fetch(service, "SELECT 1 FROM outbox LIMIT 1"):
                return False
        for provider in ("polar", "resend"):
            told = (await self.client.get(f"{self.url(provider)}/_admin/webhook-events")).json()["events"]
            if any(event["state"] == "pending" for event in told):
                return False
        async with administering(self.stack.bootstrap) as admin:
            return await caught_up(admin, await groups_of(admin, self.prefix), self.stack.bootstrap)

    def write_run(self, **told: Any) -> None:
        run = {
            "seed": 0,
            "minutes": 0,
            "commit": "",
            "started_at": self.started_at.isoformat(),
            "databases": dict(self.databases),
            "kafka": self.stack.bootstrap,
            "topic_prefix": self.prefix,
            "polar": self.url("polar"),
            "resend": self.url("resend"),
            "booking": self.url("booking"),
            "rules": {"retry_delay_seconds": list(RETRY_DELAYS_SECONDS), "mail_call_seconds": CALL_SECONDS},
            "logs": str(self.stack.installation.paths.logs),
        }
        (self.folder / "run.json").write_text(json.dumps(run | told, indent=1))
