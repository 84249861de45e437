"""A PostgreSQL and a Kafka for one run of the tests, on free ports and in a folder of their own, and the services as child processes.

The two servers are child processes too, or containers with `COURTSIDE_TEST_SERVERS=containers`; no test sees the difference but those
marked `child_servers`. A run never meets what a former run left. Runs may go on side by side; what a killed run left behind is ended and
removed by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import secrets
import shutil
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, TextIO

from aiokafka.admin import AIOKafkaAdminClient

from deploy.broker import BrokerSettings
from deploy.local import jars
from deploy.local.environment import HOST, SERVICES, Installation, Paths, Ports, environment
from deploy.local.kafka import Kafka
from deploy.local.keys import ensure_keys
from deploy.local.postgres import DURABLE, Postgres
from deploy.local.processes import Job, Part, Processes
from deploy.local.stack import INFRASTRUCTURE, Programs, courtside, ready_url
from deploy.local.system_user import remove_place
from deploy.topics.provisioning import provision
from tests import container_servers
from tests.child_servers import ChildServers, held
from tests.container_servers import ContainerServers
from tests.ports import free_port

QUICK = DURABLE | {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}
"""Nothing is lost when the server is killed, only when the machine is."""


class Servers(Protocol):
    """PostgreSQL and Kafka of one run, named "postgres" and "kafka". Started again, they have the data that they had."""

    async def start_postgres(self, postgres: Postgres) -> None: ...
    async def start_kafka(self, kafka: Kafka) -> None: ...
    async def stop(self, name: str) -> None: ...
    async def kill(self, name: str) -> None: ...
    def suspended(self, name: str) -> AbstractContextManager[None]: ...
    async def close(self) -> None: ...


@dataclass
class TestStack:
    """Nothing runs after `open()`: a test session starts what its tests ask for."""

    __test__ = False

    installation: Installation
    processes: Processes
    servers: Servers
    lock: TextIO
    settings: Mapping[str, str] = field(default_factory=QUICK.copy)

    @classmethod
    async def open(cls) -> Self:
        stack_paths = Paths.read(os.environ)
        home = stack_paths.home / "test"
        home.mkdir(parents=True, exist_ok=True)
        async with held(home / "lock"):
            for run in home.glob("run-*"):
                await _remove_if_abandoned(run)
            prefix = f"t{secrets.token_hex(3)}"
            paths = Paths(home / f"run-{prefix}", stack_paths.jars)
            paths.home.mkdir()
            lock = (paths.home / "lock").open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
            made_once = ensure_keys(home / "keys")  # the superuser's password is copied with the cluster
        shutil.copytree(home / "keys", paths.keys)
        installation = Installation(_free_ports(), paths, made_once, f"{prefix}.", prefix, "test")
        processes = Processes(paths.run, paths.logs)
        return cls(installation, processes, _servers(home, paths.home, processes), lock)

    async def close(self) -> None:
        try:
            for name in self.processes.names():
                if name not in INFRASTRUCTURE:
                    await self.processes.stop(name)
            await self.servers.close()
            _remove_run(self.installation.paths.home)
        finally:
            self.lock.close()

    # PostgreSQL and Kafka

    @property
    def postgres(self) -> Postgres:
        paths, ports = self.installation.paths, self.installation.ports
        return Postgres(paths.postgres, ports.postgres, self.installation.secrets.postgres_password, self.settings)

    @property
    def kafka(self) -> Kafka:
        paths, ports = self.installation.paths, self.installation.ports
        return Kafka(paths.kafka, ports.kafka, tuple(jars.fetch(paths.jars, lambda _: None)))

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.installation.ports.kafka}"

    async def start_postgres(self, settings: Mapping[str, str] = QUICK) -> None:
        """`DURABLE` for a test that kills more than the server."""
        self.settings = settings
        await self.servers.start_postgres(self.postgres)

    async def start_kafka(self) -> None:
        await self.servers.start_kafka(self.kafka)

    async def ensure_databases(self) -> None:
        """The three of this run: `<prefix>_booking` and so on."""
        await self.postgres.ensure_databases({self.installation.database(service): service for service in SERVICES})

    async def new_database(self, role: str) -> str:
        """An empty one beside those, and its URL. `role` is the service's name."""
        name = f"{self.installation.database_prefix}_{role}_{secrets.token_hex(3)}"
        await self.postgres.ensure_databases({name: role})
        return f"postgresql://{role}:{role}@{HOST}:{self.installation.ports.postgres}/{name}"

    async def new_topics(self) -> tuple[str, str]:
        """All topics under a new prefix: the broker's address and that prefix."""
        prefix = f"t{secrets.token_hex(3)}."
        await provision(BrokerSettings(kafka_bootstrap=self.bootstrap, topic_prefix=prefix))
        return self.bootstrap, prefix

    async def drop_topics(self, prefix: str) -> None:
        """Those under this prefix: a broker of one core grows slow with the ten thousandth partition."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            await admin.delete_topics([name for name in await admin.list_topics() if name.startswith(prefix)])
        finally:
            await admin.close()

    # Services and stand-ins

    @property
    def programs(self) -> Programs:
        return courtside(self.installation)

    def environment(self, part: str, **changes: str) -> dict[str, str]:
        """What the process of this service or stand-in reads, under the run's prefixes; `changes` on top."""
        return environment(self.installation)[part] | changes

    async def install(self) -> None:
        """Migrates the three databases, provisions the topics, seeds the club."""
        await self.ensure_databases()
        jobs = (*self.programs.migrations.values(), *self.programs.topics)
        await asyncio.gather(*(self.processes.finish(job) for job in jobs))
        for job in self.programs.seeds:
            await self.processes.finish(job)

    async def start_standin(self, name: str, **changes: str) -> None:
        self.installation.paths.standins.mkdir(exist_ok=True)
        command = (sys.executable, "-m", f"deploy.standins.{name}")
        await self._start(Part(name, command, self.environment(name, **changes), ready_url(self.installation, name)))

    async def start(self, service: str, role: str = "all", *, name: str | None = None, **changes: str) -> str:
        """Starts a service process under `name`, by which it is stopped and killed, and returns its URL. Under another name than the
        service's own it has a port of its own, so that an api and two workers run side by side."""
        name = name or service
        port = getattr(self.installation.ports, service) if name == service else free_port()
        told = self.environment(service, **{f"{service.upper()}_HTTP_PORT": str(port)}) | changes
        command = (sys.executable, "-m", f"services.{service}", role)
        await self._start(Part(name, command, told, f"http://{HOST}:{port}/readyz"))
        return f"http://{HOST}:{port}"

    async def run(self, name: str, *module: str, **environment: str) -> None:
        """`python -m <module> …` to its end; `PartFailed` with the end of its log when that is not 0."""
        await self.processes.finish(Job(name, (sys.executable, "-m", *module), environment))

    async def stop(self, name: str) -> None:
        """A process of ours, or "postgres" or "kafka"."""
        await (self.servers if name in INFRASTRUCTURE else self.processes).stop(name)

    async def kill(self, name: str) -> None:
        await (self.servers if name in INFRASTRUCTURE else self.processes).kill(name)

    def suspended(self, name: str) -> AbstractContextManager[None]:
        """ "postgres" or "kafka": it keeps its connections and answers nothing until the block ends."""
        return self.servers.suspended(name)

    async def _start(self, part: Part) -> None:
        if not self.processes.running(part.name):
            self.processes.start(part)
        await self.processes.until_ready(part)


def _free_ports() -> Ports:
    return Ports(*(free_port() for _ in Ports.__slots__))


def _servers(home: Path, run: Path, processes: Processes) -> Servers:
    if os.environ.get("COURTSIDE_TEST_SERVERS", "children") != "containers":
        return ChildServers(home, processes)
    (run / "containers").touch()
    return ContainerServers(run.name, processes)


async def _remove_if_abandoned(run: Path) -> None:
    """A run whose lock nobody holds any more: its program ended without `close()`."""
    with (run / "lock").open("a") as lock, contextlib.suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        processes = Processes(run / "run", run / "logs")
        for name in processes.names():
            await processes.kill(name)
        if (run / "containers").exists():
            container_servers.remove(run.name)
        _remove_run(run)


def _remove_run(run: Path) -> None:
    remove_place(run / "postgres")
    shutil.rmtree(run)
