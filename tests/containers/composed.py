"""A stack of `docker compose` under a project name, ports and keys of its own, so that it stands beside a developer's."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.demo import MAIL
from deploy.gateway.health import FRESH_SECONDS
from deploy.local.environment import HOST, ROOT
from tests.ports import free_port

PORTS = ("GATEWAY", "BOOKING", "PAYMENTS", "NOTIFICATIONS", "POLAR", "RESEND", "KAFKA", "KAFKA_2", "KAFKA_3", "TLS")

START_PATIENCE = "10m"
"""Seen on a machine with forty programs for each core: five minutes until Kafka took a connection."""
PATIENCE_SECONDS = 120.0
"""Docker asks for a container's health every three seconds, and the machine is busy."""


class CommandFailed(Exception):
    """With the end of what it said."""


async def run(*command: str, environment: Mapping[str, str] | None = None) -> str:
    """What it printed; `CommandFailed` when it ends with another code than 0."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise CommandFailed(f"{' '.join(command)}: {process.returncode}\n{errors.decode()[-4000:]}")
    return output.decode()


@dataclass(frozen=True)
class Compose:
    home: Path
    files: tuple[str, ...] = ("docker-compose.yml",)
    project: str = field(default_factory=lambda: f"courtside-{secrets.token_hex(3)}")
    ports: Mapping[str, int] = field(default_factory=lambda: {name: free_port() for name in PORTS})
    told: Mapping[str, str] = field(default_factory=dict)
    """More of what an `.env` says."""

    @property
    def environment(self) -> dict[str, str]:
        ports = {f"COURTSIDE_{name}_PORT": str(port) for name, port in self.ports.items()}
        return ports | {"COURTSIDE_HOME": str(self.home), "COURTSIDE_START_PATIENCE": START_PATIENCE} | {**self.told}

    @property
    def gateway(self) -> str:
        return f"http://{HOST}:{self.ports['GATEWAY']}"

    @property
    def bootstrap(self) -> str:
        """All brokers that there may be; clients pass over those that are not."""
        return ",".join(f"{HOST}:{self.ports[name]}" for name in ("KAFKA", "KAFKA_2", "KAFKA_3"))

    async def __call__(self, *words: str) -> str:
        """`docker compose …`"""
        files = [word for file in self.files for word in ("-f", file)]
        return await run(
            "docker", "compose", "--progress", "quiet", "-p", self.project, *files, *words, environment=self.environment
        )

    @asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """As the README has it; everything of it is gone afterwards, its data too."""
        try:
            await self("up", "--build", "-d", "--wait")
            yield
        finally:
            await self("down", "-v", "--remove-orphans", "--timeout", "5")
            await self.forget_images()

    def image(self, name: str) -> str:
        """One of ours, as built for this project."""
        return f"{self.project}/{name}"

    async def forget_images(self) -> None:
        """Those of this project; their layers stay, so the next one builds in seconds."""
        named = ("--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={self.project}/*")
        if images := (await run("docker", "images", *named)).split():
            await run("docker", "rmi", "--no-prune", *images)

    async def containers(self, service: str) -> list[str]:
        """The ids of those that run."""
        return (await self("ps", "-q", service)).split()

    async def demo(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        """`courtside demo --json …`, started."""
        told = {**self.environment, "COURTSIDE_KAFKA_BOOTSTRAP": self.bootstrap, **environment}
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "deploy.cli", "demo", "--json", *arguments),
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'contracts'}", **told},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def doctor(self) -> tuple[int, list[dict[str, str]]]:
        """`courtside doctor --json` on the host: exit code and findings."""
        told = {**self.environment, "COURTSIDE_KAFKA_BOOTSTRAP": self.bootstrap.split(",")[0]}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.cli", "doctor", "--json"),
            cwd=ROOT,
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'contracts'}", **told},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
        assert not errors, errors.decode()
        return process.returncode or 0, json.loads(output)

    async def charges(self, client: httpx.AsyncClient) -> int:
        return len(await self._charged(client))

    async def effects(self, client: httpx.AsyncClient) -> dict[str, tuple[int, int]]:
        """How many charges and how many confirmations by mail each booking that was paid has cost."""
        asked = await client.get(f"http://{HOST}:{self.ports['RESEND']}/_admin/emails", params={"brief": "true"})
        tags = [{tag["name"]: tag["value"] for tag in mail["tags"]} for mail in asked.json()["emails"]]
        mails = Counter(tag["booking_id"] for tag in tags if tag["kind"] == MAIL)
        charges = Counter(await self._charged(client))
        return {booking_id: (charges[booking_id], mails[booking_id]) for booking_id in {*charges, *mails}}

    async def _charged(self, client: httpx.AsyncClient) -> list[str]:
        """The booking of each charge."""
        ledger = await client.get(f"http://{HOST}:{self.ports['POLAR']}/_admin/ledger")
        return [one["metadata"]["booking_id"] for one in ledger.json()["entries"] if one["kind"] == "charge"]

    async def errors_shown(self, since: str) -> list[dict[str, Any]]:
        """What the gateway answered with a 5xx since that instant, as it logged it."""
        said = await self("logs", "--no-log-prefix", "--since", since, "gateway")
        lines = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
        return [line for line in lines if line["status"] >= 500]


async def inspect(kind: str, name: str) -> dict[str, Any]:
    """`docker image inspect` or `docker container inspect` of one."""
    [found] = json.loads(await run("docker", kind, "inspect", name))
    return dict(found)


async def serving(client: httpx.AsyncClient, compose: Compose) -> dict[str, int]:
    """How many replicas of each process do, as the gateway tells."""
    document = await health(client, compose)
    return {name: found["observedValue"] for name, [found] in document["checks"].items()}


async def health(client: httpx.AsyncClient, compose: Compose) -> dict[str, Any]:
    """The next document of all processes. Who asks sooner is told the same once more, and uses up what the gateway grants an address."""
    await asyncio.sleep(FRESH_SECONDS)
    return dict((await client.get(f"{compose.gateway}/health")).json())
