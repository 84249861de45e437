"""The whole system of a run: servers, stand-ins, the services' processes, and a link between any two that talk."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import asyncpg
import httpx

from deploy import tokens
from deploy.local.environment import HOST, SERVICES
from deploy.local.processes import Part
from tests.faults.links.proxy import Link
from tests.faults.stack.clubs import open_clubs
from tests.faults.stack.keeping import Kept
from tests.faults.stack.parts import CLIENTS, RUNNERS, Runner, to_kafka, to_postgres
from tests.faults.stack.servers import SETTINGS, LinkedStack
from tests.ports import free_port

MUTANT = "COURTSIDE_MUTANT"
RETRY_SECONDS = (1.0, 3.0, 8.0, 15.0)
"""In the place of 5 s, 1 m, 10 m and 1 h: the same ladder, for a run of minutes."""
PATIENCE_SECONDS = 90.0

TOLD: Mapping[str, Mapping[str, str]] = {
    "booking": {},
    "payments": {"POLAR_TIMEOUT_SECONDS": "3", "UNSETTLED_SECONDS": "3", "RECONCILE_EVERY_SECONDS": "15"},
    "notifications": {"RESEND_PER_SECOND": "1000", "RESEND_CALL_SECONDS": "3"},
}
"""Shorter waits, by service. Nothing else is told to them that they would not be told in a club."""
COMMON = {"RETRY_DELAYS": str(list(RETRY_SECONDS)), "STALL_SECONDS": "30"}
WEBHOOK_TIME_SCALE = "0.1"


@dataclass
class System:
    stack: LinkedStack
    client: httpx.AsyncClient
    """For levers and looks: it goes straight to the part."""
    links: dict[str, Link] = field(default_factory=dict)
    kept: dict[str, Kept] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    """By process."""

    @property
    def booking_url(self) -> str:
        """As clients reach it."""
        return f"http://{HOST}:{self.links[CLIENTS].listens_on}"

    def url(self, name: str) -> str:
        """Straight to a stand-in or a process."""
        port = self.ports.get(name) or getattr(self.stack.installation.ports, name)
        return f"http://{HOST}:{port}"

    def database_url(self, service: str) -> str:
        return self.stack.installation.database_url(service)

    @property
    def prefix(self) -> str:
        return self.stack.installation.topic_prefix

    def token(self, email: str, name: str, role: tokens.Role = tokens.Role.PLAYER) -> str:
        return tokens.mint(self.stack.installation.paths.keys, email, name, role)

    async def pull(self, standin: str, lever: str, method: str = "POST", **body: Any) -> Any:
        """One of those in deploy/standins/README.md."""
        told = body if method == "POST" else None
        answer = await self.client.request(method, f"{self.url(standin)}/_admin/{lever}", json=told)
        answer.raise_for_status()
        return answer.json()

    @asynccontextmanager
    async def connected(self, service: str) -> AsyncIterator[asyncpg.Connection[Any]]:
        """To this service's database, as its role, through no link."""
        connection = await asyncpg.connect(self.database_url(service), timeout=10)
        try:
            yield connection
        finally:
            connection.terminate()

    async def all_ready(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*(kept.is_ready() for kept in self.kept.values()))

    # How it is built

    async def build(self, parts: AsyncExitStack) -> None:
        await asyncio.gather(self.stack.start_postgres(SETTINGS), self.stack.start_kafka())
        self.ports = {runner.name: self._port(runner) for runner in RUNNERS}
        for link in self._links():
            self.links[link.name] = await parts.enter_async_context(link.open())
        await asyncio.gather(self._install(), self._start_standins())
        for runner in RUNNERS:
            part = partial(self.part, runner)
            self.kept[runner.name] = Kept(runner.name, part, self.stack.processes)

    def part(self, runner: Runner, name: str, told: Mapping[str, str], port: int | None = None) -> Part:
        """A process like this runner's, under this name. A beside-process has a port of its own."""
        module = f"services.{runner.service}"
        modules = ("tests.faults.mutants", module) if os.environ.get(MUTANT) else (module,)
        port = port or self.ports[runner.name]
        environment = self._environment(runner) | {f"{runner.service.upper()}_HTTP_PORT": str(port)} | dict(told)
        command = (sys.executable, "-m", *modules, runner.role)
        return Part(name, command, environment, f"http://{HOST}:{port}/readyz")

    def _environment(self, runner: Runner) -> dict[str, str]:
        database = self.database_url(runner.service).replace(
            f":{self.stack.installation.ports.postgres}/", f":{self.links[to_postgres(runner.name)].listens_on}/"
        )
        changes = {
            **COMMON,
            **TOLD[runner.service],
            "DATABASE_URL": database,
            "KAFKA_BOOTSTRAP": f"{HOST}:{self.stack.links[runner.service]}",
        }
        if runner.service == "payments":
            changes["POLAR_BASE_URL"] = f"http://{HOST}:{self.links['payments→polar'].listens_on}"
        if runner.service == "notifications":
            changes["RESEND_BASE_URL"] = f"http://{HOST}:{self.links['notifications→resend'].listens_on}"
        named = {f"{runner.service.upper()}_{name}": value for name, value in changes.items()}
        return self.stack.environment(runner.service, **named)

    def _port(self, runner: Runner) -> int:
        return getattr(self.stack.installation.ports, runner.service) if runner.role == "api" else free_port()

    def _links(self) -> list[Link]:
        ports = self.stack.installation.ports
        leading_to = {CLIENTS: ports.booking}
        leading_to |= {to_postgres(runner.name): ports.postgres for runner in RUNNERS}
        leading_to |= {"payments→polar": ports.polar, "notifications→resend": ports.resend}
        leading_to |= {"polar→payments-api": ports.payments, "resend→notifications-api": ports.notifications}
        links = [Link(name, port, free_port()) for name, port in leading_to.items()]
        return links + [Link(to_kafka(name), self.stack.doors[name], self.stack.links[name]) for name in SERVICES]

    async def _install(self) -> None:
        await self.stack.install()
        await open_clubs(self.database_url("booking"))

    async def _start_standins(self) -> None:
        for standin, service in (("polar", "payments"), ("resend", "notifications")):
            port = self.links[f"{standin}→{service}-api"].listens_on
            told = {"WEBHOOK_URL": f"http://{HOST}:{port}/webhooks/{standin}", "WEBHOOK_TIME_SCALE": WEBHOOK_TIME_SCALE}
            told |= {"RATE_PER_S": "0"} if standin == "resend" else {}
            await self.stack.start_standin(
                standin, **{f"{standin.upper()}_STANDIN_{name}": value for name, value in told.items()}
            )


@asynccontextmanager
async def running() -> AsyncIterator[System]:
    """Built, and every process is kept alive until the end."""
    stack = await LinkedStack.open()
    try:
        async with AsyncExitStack() as parts:
            client = await parts.enter_async_context(httpx.AsyncClient(timeout=30, trust_env=False))
            system = System(stack, client)
            await system.build(parts)
            keepers = [asyncio.create_task(kept.keep()) for kept in system.kept.values()]
            try:
                await system.all_ready()
                yield system
            finally:
                for keeper in keepers:
                    keeper.cancel()
                await asyncio.gather(*keepers, return_exceptions=True)
                await asyncio.gather(*(kept.kill() for kept in system.kept.values()))
    finally:
        await stack.close()
