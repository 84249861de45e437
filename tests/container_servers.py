"""PostgreSQL and Kafka as containers, by testcontainers, on the very ports where the child processes would be.

Without the library's reaper, which is one more image: what a killed run left behind bears the run's label, and the next run removes it.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.wait_strategies import ExecWaitStrategy
from testcontainers.core.waiting_utils import WaitStrategy

from deploy.local.kafka import Kafka
from deploy.local.postgres import SUPERUSER, Postgres
from deploy.local.processes import Processes
from tests.apache_kafka_container import ApacheKafkaContainer

LABEL = "courtside.run"
POSTGRES = "postgres:18"
LOCALE = "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
"""As the child process has it: text sorts alike on every system."""

testcontainers_config.ryuk_disabled = True


@dataclass
class ContainerServers:
    run: str
    """The label of this run's containers."""
    processes: Processes
    started: dict[str, DockerContainer] = field(default_factory=dict)
    logs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    async def start_postgres(self, postgres: Postgres) -> None:
        settings = {**postgres.settings, "timezone": "UTC", "log_timezone": "UTC"}
        container = PostgresContainer(POSTGRES, username=SUPERUSER, password=postgres.password, dbname=SUPERUSER)
        container.with_bind_ports(5432, postgres.port).with_env("POSTGRES_INITDB_ARGS", LOCALE)
        container.with_command([word for name, value in settings.items() for word in ("-c", f"{name}={value}")])
        # By address: while the cluster is being made, a server answers on the socket alone.
        container.waiting_for(ExecWaitStrategy(["pg_isready", "-h", "127.0.0.1", "-U", SUPERUSER]))
        await asyncio.to_thread(self._start, "postgres", container)

    async def start_kafka(self, kafka: Kafka) -> None:
        await asyncio.to_thread(self._start, "kafka", ApacheKafkaContainer(kafka.port))

    async def stop(self, name: str) -> None:
        """It keeps its data, and its place."""
        if container := self.started.get(name):
            await asyncio.to_thread(container.get_wrapped_container().stop, timeout=20)

    async def kill(self, name: str) -> None:
        if container := self.started.get(name):
            await asyncio.to_thread(container.get_wrapped_container().kill)

    @contextmanager
    def suspended(self, name: str) -> Iterator[None]:
        container = self.started[name].get_wrapped_container()
        container.pause()
        try:
            yield
        finally:
            container.unpause()

    async def close(self) -> None:
        await asyncio.to_thread(remove, self.run)
        for log in self.logs:
            await asyncio.to_thread(log.wait)
        for container in self.started.values():
            container.get_docker_client().client.close()

    def _start(self, name: str, container: DockerContainer) -> None:
        """Or starts it again, if it was stopped."""
        if name in self.started:
            container = self.started[name]
            container.get_wrapped_container().start()
            _until_ready(container)
        else:
            self.started[name] = container.with_kwargs(labels={LABEL: self.run}, shm_size="256m")
            container.start()
        self._follow(name, container)

    def _follow(self, name: str, container: DockerContainer) -> None:
        """Its output goes where a child process's goes: tests read the server's log."""
        log = self.processes.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            command = ["docker", "logs", "--follow", "--since", "0s", container.get_container_id()]
            self.logs.append(subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT))


def _until_ready(container: DockerContainer) -> None:
    strategy = container._wait_strategy
    assert isinstance(strategy, WaitStrategy)
    strategy.wait_until_ready(container)


def remove(run: str) -> None:
    """All containers of this run, with their data."""
    client = DockerClient().client
    try:
        for container in client.containers.list(all=True, filters={"label": f"{LABEL}={run}"}):
            container.remove(force=True, v=True)
    finally:
        client.close()
