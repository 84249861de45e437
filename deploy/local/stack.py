"""The whole system on one machine: which parts there are, what must happen before which, and how it all ends."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import jars
from deploy.local.environment import HOST, ROOT, SERVICES, Installation, environment
from deploy.local.errors import WrongEnvironment
from deploy.local.kafka import Kafka
from deploy.local.ports import ready, refuse_used_port
from deploy.local.postgres import DURABLE, Postgres
from deploy.local.processes import Job, Part, Processes
from deploy.local.progress import Step, Steps
from deploy.local.schema import is_current

INFRASTRUCTURE = ("postgres", "kafka")
STANDINS = ("polar", "resend")
PARTS = (*INFRASTRUCTURE, *STANDINS, *SERVICES)

READY_URLS = {
    "postgres": "tcp://{host}:{port}",
    "kafka": "tcp://{host}:{port}",
    "polar": "http://{host}:{port}/healthz",
    "resend": "http://{host}:{port}/healthz",
    "booking": "http://{host}:{port}/readyz",
    "payments": "http://{host}:{port}/readyz",
    "notifications": "http://{host}:{port}/readyz",
}


@dataclass(frozen=True, slots=True)
class Programs:
    """What runs on top of PostgreSQL and Kafka: data, so that a test can put tiny programs in the place of the real ones."""

    standins: tuple[Part, ...] = ()
    services: tuple[Part, ...] = ()
    migrations: Mapping[str, Job] = field(default_factory=dict)
    """By service."""
    topics: tuple[Job, ...] = ()
    seeds: tuple[Job, ...] = ()


def courtside(installation: Installation) -> Programs:
    told = environment(installation)

    def part(name: str, *module: str) -> Part:
        return Part(name, (sys.executable, "-m", *module), told[name], ready_url(installation, name))

    def job(name: str, *module: str, environment: Mapping[str, str]) -> Job:
        return Job(name, (sys.executable, "-m", *module), environment)

    broker = {
        "COURTSIDE_KAFKA_BOOTSTRAP": f"{HOST}:{installation.ports.kafka}",
        "COURTSIDE_TOPIC_PREFIX": installation.topic_prefix,
    }
    return Programs(
        standins=tuple(part(name, f"deploy.standins.{name}") for name in STANDINS),
        services=tuple(part(name, f"services.{name}", "all") for name in SERVICES),
        migrations={s: job(f"migrate-{s}", f"services.{s}", "migrate", environment=told[s]) for s in SERVICES},
        topics=(job("topics", "deploy.topics", "apply", environment=broker),),
        seeds=(job("seed", "services.booking", "seed", environment=told["booking"]),),
    )


def ready_url(installation: Installation, part: str) -> str:
    return READY_URLS[part].format(host=HOST, port=getattr(installation.ports, part))


class Stack:
    def __init__(self, installation: Installation, programs: Programs, *, controller_port: int | None = None) -> None:
        self.installation = installation
        self.programs = programs
        self.controller_port = controller_port
        self.processes = Processes(installation.paths.run, installation.paths.logs)
        self.postgres = Postgres(
            installation.paths.postgres, installation.ports.postgres, installation.secrets.postgres_password, DURABLE
        )

    def ready_urls(self) -> dict[str, str]:
        """By part, in the order of starting."""
        infrastructure = {name: ready_url(self.installation, name) for name in INFRASTRUCTURE}
        return infrastructure | {
            part.name: part.ready_url for part in (*self.programs.standins, *self.programs.services)
        }

    async def is_up(self) -> bool:
        urls = self.ready_urls()
        if not all(self.processes.running(name) for name in urls):
            return False
        return all(await asyncio.gather(*(asyncio.to_thread(ready, url) for url in urls.values())))

    async def up(self, steps: Steps) -> None:
        """Starts what does not run yet. Given up in the middle, it stops what it had started; a part that fails leaves the others alone."""
        self._refuse_what_cannot_start()
        running_before = set(self.processes.names())
        self.installation.paths.standins.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._start_all(tasks, steps)
        except BaseExceptionGroup as failures:
            raise _first(failures) from None
        except asyncio.CancelledError:
            await stop(self.processes, keep=running_before)
            raise

    async def _start_all(self, tasks: asyncio.TaskGroup, steps: Steps) -> None:
        """Both foundations at once, and migrations while the JVM warms up: that is most of a quick start."""
        for part in self.programs.standins:
            tasks.create_task(self._bring_up(part, steps))
        database = tasks.create_task(self._bring_up_database(steps))
        broker = tasks.create_task(self._bring_up_broker(steps))
        await asyncio.gather(database, broker)
        for job in self.programs.seeds:
            tasks.create_task(self._run(job, steps))
        for part in self.programs.services:
            tasks.create_task(self._bring_up(part, steps))

    async def _bring_up_database(self, steps: Steps) -> None:
        with steps.step("postgres", "starting", "ready"):
            if not self.processes.running("postgres"):
                await self.postgres.prepare(self.processes)
                self.processes.start(self.postgres.part())
            await self.processes.until_ready(self.postgres.part())
            await self.postgres.ensure_databases({self.installation.database(service): service for service in SERVICES})
        await asyncio.gather(*(self._migrate(*item, steps) for item in self.programs.migrations.items()))

    async def _migrate(self, service: str, job: Job, steps: Steps) -> None:
        migrations = ROOT / "services" / service / "migrations"
        if not await is_current(self.postgres, self.installation.database(service), migrations):
            await self._run(job, steps)

    async def _bring_up_broker(self, steps: Steps) -> None:
        with steps.step("kafka", "starting", "ready") as step:
            kafka = Kafka(
                self.installation.paths.kafka,
                self.installation.ports.kafka,
                await _jars(self.installation.paths.jars, step),
                self.controller_port,
            )
            if not self.processes.running("kafka"):
                await kafka.prepare(self.processes)
                self.processes.start(kafka.part())
            await self.processes.until_ready(kafka.part())
        await asyncio.gather(*(self._run(job, steps) for job in self.programs.topics))

    async def _bring_up(self, part: Part, steps: Steps) -> None:
        with steps.step(part.name, "starting", "ready"):
            if not self.processes.running(part.name):
                self.processes.start(part)
            await self.processes.until_ready(part)

    async def _run(self, job: Job, steps: Steps) -> None:
        with steps.step(job.name, "running", "done"):
            await self.processes.finish(job)

    def _refuse_what_cannot_start(self) -> None:
        """Before anything starts: a port that is taken, or a part that runs on another port than it is now told."""
        for name, url in self.ready_urls().items():
            port = Part(name, (), {}, url).port
            running = self.processes.running(name)
            if running is None:
                refuse_used_port(name, port)
            elif running.port != port:
                raise WrongEnvironment(
                    f"{name} runs on port {running.port}, and {port} is asked for: `courtside down` first"
                )
        if self.controller_port and not self.processes.running("kafka"):
            refuse_used_port("kafka_controller", self.controller_port)


async def stop(processes: Processes, keep: set[str] | None = None) -> list[str]:
    """In the reverse order: services drain while their broker still answers. Returns what was stopped."""
    stopped = [name for name in processes.names() if name not in (keep or set())]
    for tier in (SERVICES, STANDINS, INFRASTRUCTURE):
        await asyncio.gather(*(processes.stop(name) for name in tier if name in stopped))
    return stopped


async def _jars(folder: Path, step: Step) -> tuple[Path, ...]:
    """Downloads in threads, which end at their next chunk once the wait for them is given up."""
    given_up = threading.Event()
    received = 0

    def count(size: int) -> None:
        nonlocal received
        if given_up.is_set():
            raise InterruptedError("the download was given up")
        received += size
        step.say(f"downloading {received / 1e6:.1f} MB")

    try:
        return tuple(await asyncio.to_thread(jars.fetch, folder, count))
    finally:
        given_up.set()


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
