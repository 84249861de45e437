"""Who carries an outbox to Kafka, each as it runs for a club: the relay in a worker of booking, and Debezium in a Kafka Connect worker."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import asyncpg
import httpx
import psutil

from deploy.debezium.__main__ import HERE, command
from deploy.local.processes import Part
from services.chassis.relay import LOCK
from tests.bench.log.outboxes import Outbox
from tests.bench.log.waiting import until
from tests.ports import free_port

COMPILED_HALF = "-XX:TieredStopAtLevel=1"
"""Ours, so that Java starts sooner on a laptop. A benchmark lets it compile all the way."""
READY_SECONDS, ANSWERED_WITHIN_SECONDS = 300.0, 120.0


class Carrier(Protocol):
    """It begins held: it carries nothing then, and has all that it needs to go on at once."""

    @property
    def outbox(self) -> Outbox: ...
    async def hold(self) -> None: ...
    async def let_go(self) -> None: ...


@dataclass(frozen=True)
class RelayWorker:
    """Held by the lock of the one active relay: the worker stands by."""

    outbox: Outbox
    lock: asyncpg.Connection[Any]

    async def hold(self) -> None:
        await self.lock.execute("SELECT pg_advisory_lock($1)", LOCK)

    async def let_go(self) -> None:
        await self.lock.execute("SELECT pg_advisory_unlock($1)", LOCK)


@asynccontextmanager
async def relay(outbox: Outbox, name: str = "relay") -> AsyncIterator[RelayWorker]:
    """The whole worker: its consumers, crons and gauges run beside the relay, as they do for a club."""
    stack = outbox.stack
    lock = await asyncpg.connect(outbox.url)
    try:
        await stack.start("booking", "worker", name=name, **outbox.environment)
        worker = RelayWorker(outbox, lock)
        await worker.hold()
        yield worker
    finally:
        await stack.stop(name)
        await lock.close()


@dataclass(frozen=True)
class ConnectWorker:
    """Held by being stopped: what is committed meanwhile waits in its slot."""

    outbox: Outbox
    connector: str
    process: psutil.Process

    async def hold(self) -> None:
        self.process.suspend()

    async def let_go(self) -> None:
        self.process.resume()

    async def poll_every(self, milliseconds: int) -> None:
        """Debezium's own default is 500; the connector of `deploy/debezium` says 10."""
        await self.let_go()
        async with httpx.AsyncClient(timeout=ANSWERED_WITHIN_SECONDS, trust_env=False) as client:
            config = (await client.get(f"{self.connector}/config")).raise_for_status().json()
            changed = config | {"poll.interval.ms": str(milliseconds)}
            (await client.put(f"{self.connector}/config", json=changed)).raise_for_status()
            await _until_running(client, self.connector)
        await self.hold()


@asynccontextmanager
async def debezium(outbox: Outbox) -> AsyncIterator[ConnectWorker]:
    """As `deploy/debezium/README.md` sets it up."""
    stack, port = outbox.stack, free_port()
    await _prepare(outbox)
    root = f"http://127.0.0.1:{port}"
    java = tuple(word for word in command() if word != COMPILED_HALF)
    part = Part("debezium", java, _told(outbox, port), f"{root}/", ready_seconds=READY_SECONDS)
    running = stack.processes.start(part)
    process = psutil.Process(running.pid)
    try:
        await stack.processes.until_ready(part)
        async with httpx.AsyncClient(timeout=ANSWERED_WITHIN_SECONDS, trust_env=False) as client:
            await _until_running(client, f"{root}/connectors/outbox")
        worker = ConnectWorker(outbox, f"{root}/connectors/outbox", process)
        await worker.hold()
        yield worker
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.resume()
        await stack.processes.stop("debezium")


async def _prepare(outbox: Outbox) -> None:
    superuser = await outbox.stack.postgres.connect()
    await superuser.execute("ALTER ROLE booking REPLICATION")
    # A connector that is held says nothing for as long as others are measured: the server would hang up.
    await superuser.execute("ALTER ROLE booking SET wal_sender_timeout = 0")
    await superuser.close()
    await outbox.connection.execute((HERE / "prepare.sql").read_text())


def _told(outbox: Outbox, port: int) -> dict[str, str]:
    url = urlsplit(outbox.url)
    return {
        "OUTBOX_KAFKA_BOOTSTRAP": outbox.stack.bootstrap,
        "OUTBOX_TOPIC_PREFIX": outbox.topic_prefix,
        "OUTBOX_OFFSETS_FILE": str(outbox.stack.installation.paths.home / f"offsets-{port}"),
        "OUTBOX_CONNECT_PORT": str(port),
        "OUTBOX_HOST": str(url.hostname),
        "OUTBOX_PORT": str(url.port),
        "OUTBOX_DATABASE": url.path.removeprefix("/"),
        "OUTBOX_USER": str(url.username),
        "OUTBOX_PASSWORD": str(url.password),
    }


async def _until_running(client: httpx.AsyncClient, connector: str) -> None:
    async def states() -> list[str]:
        answer = (await client.get(f"{connector}/status")).json()
        return [task["state"] for task in answer.get("tasks", [])]

    await until("a running connector", states, lambda found: found == ["RUNNING"])
