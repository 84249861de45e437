"""The whole system as child processes: both servers, both stand-ins, the three services in their `all` role."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from deploy.local.environment import SERVICES, Ports, port_variable
from tests.stack import TestStack

NO_PACE = {"NOTIFICATIONS_RESEND_PER_SECOND": "1000"}
STANDIN_WITHOUT_LIMIT = {"RESEND_STANDIN_RATE_PER_S": "0"}


@dataclass(frozen=True)
class System:
    stack: TestStack
    client: httpx.AsyncClient

    async def demo(self, *arguments: str) -> asyncio.subprocess.Process:
        """`courtside demo …`, started."""
        installation = self.stack.installation
        environment = {port_variable(part): str(getattr(installation.ports, part)) for part in Ports.__slots__}
        environment |= {
            "COURTSIDE_HOME": str(installation.paths.home),
            "COURTSIDE_TOPIC_PREFIX": installation.topic_prefix,
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "deploy.cli",
            "demo",
            "--json",
            *arguments,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def start(self, service: str) -> None:
        await self.stack.start(service, **(NO_PACE if service == "notifications" else {}))

    async def charges(self) -> int:
        ledger = await self.client.get(f"{self.stack.installation.url('polar')}/_admin/ledger")
        return int(ledger.json()["charges"])


@pytest.fixture(scope="session")
async def system(stack: TestStack) -> AsyncIterator[System]:
    async with running(stack) as system:
        yield system


@asynccontextmanager
async def running(stack: TestStack, *, services: Sequence[str] = SERVICES) -> AsyncIterator[System]:
    await asyncio.gather(
        stack.install(), stack.start_standin("polar"), stack.start_standin("resend", **STANDIN_WITHOUT_LIMIT)
    )
    async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
        system = System(stack, client)
        await asyncio.gather(*(system.start(service) for service in services))
        yield system
    await asyncio.gather(*(stack.stop(service) for service in services))
    await asyncio.gather(*(stack.stop(name) for name in ("polar", "resend")))


async def finished(demo: asyncio.subprocess.Process) -> dict[str, Any]:
    """What it printed, if it ended well."""
    output, errors = await demo.communicate()
    assert demo.returncode == 0, errors.decode()[-2000:]
    result: dict[str, Any] = json.loads(output)
    return result
