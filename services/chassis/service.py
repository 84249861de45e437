"""A process of a service: `python -m services.<name> [api|worker|all|migrate]`.

`api` serves HTTP and writes the outbox. `worker` runs relay and consumers and serves health. `all` is both, for a laptop.
SIGTERM drains: no new work, what runs is finished and committed, then the process leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
import uvicorn
import uvloop
from fastapi import APIRouter
from pydantic import ValidationError

from services.chassis import health, http, logging, migrations
from services.chassis.auth import TokenVerifier
from services.chassis.clock import DatabaseClock
from services.chassis.consuming import Consumers
from services.chassis.crons import Cron
from services.chassis.database import Database
from services.chassis.relay import Doorbell, Relay
from services.chassis.settings import Settings
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.chassis.working import consume

log = structlog.get_logger()

ROLES = ("api", "worker", "all", "migrate")

Part = Coroutine[Any, Any, None]
Command = Callable[[Settings], Part]


@dataclass(frozen=True)
class Chassis:
    """What a service is built on."""

    settings: Settings
    database: Database
    clock: DatabaseClock
    unit_of_work: UnitOfWorkFactory
    doorbell: Doorbell


@dataclass(frozen=True)
class Service:
    """What a service is: its routes, its consumers, its crons, and what it must close at the end."""

    title: str
    routers: Sequence[APIRouter] = ()
    consumers: Consumers = field(default_factory=Consumers)
    crons: Sequence[Cron] = ()
    body_max_bytes: int = 65_536
    state: dict[str, Any] = field(default_factory=dict)
    """What the routes need, by name, as attributes of `request.app.state`."""
    close: Callable[[], Awaitable[None]] | None = None


def main(
    read_settings: type[Settings],
    build: Callable[[Chassis], Service],
    openapi: Callable[[], str] | None = None,
    **commands: Command,
) -> None:
    """`commands` are further words for the command line: they run and end. `openapi` is one that needs no settings."""
    role = sys.argv[1] if len(sys.argv) > 1 else "all"
    if role == "openapi" and openapi:
        sys.stdout.write(openapi())
        return
    if role not in (*ROLES, *commands) or len(sys.argv) > 2:  # noqa: PLR2004
        sys.exit(_usage(f"unknown role {role!r}"))
    try:
        settings = read_settings()
    except ValidationError as error:
        prefix = read_settings.model_config["env_prefix"]
        sys.exit(
            _usage("; ".join(f"{prefix}{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
        )
    logging.configure(settings.service, settings.log_level)
    if role == "migrate":
        migrations.upgrade(settings)
    elif role in commands:
        uvloop.run(commands[role](settings))
    else:
        sys.exit(uvloop.run(Process(settings, build, role).run()))


def _usage(message: str) -> int:
    print(f"{message}. Usage: python -m services.<name> [{'|'.join(ROLES)}]", file=sys.stderr)  # noqa: T201
    return 2


class Process:
    def __init__(self, settings: Settings, build: Callable[[Chassis], Service], role: str) -> None:
        self.settings, self.build, self.role = settings, build, role
        self.stopping = asyncio.Event()
        self.consuming = asyncio.Event()

    async def run(self) -> int:
        """Until SIGTERM, or until a part fails for good. The exit code: 0 or 1."""
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self.stopping.set)
        chassis = await self._chassis()
        service = self.build(chassis)
        try:
            return await self._supervise(list(self._parts(chassis, service)), list(_aides(chassis)))
        finally:
            if service.close:
                await service.close()
            await chassis.database.close()

    async def _chassis(self) -> Chassis:
        database, clock = await Database.open(self.settings), DatabaseClock()
        doorbell = Doorbell(self.settings.database_url.get_secret_value())
        return Chassis(self.settings, database, clock, UnitOfWorkFactory(database, clock, doorbell.ring), doorbell)

    def _parts(self, chassis: Chassis, service: Service) -> Iterator[Part]:
        works = self.role in ("worker", "all")
        yield self._serve(chassis, service, works=works)
        if works:
            yield Relay(self.settings, self.settings.database_url.get_secret_value()).run(self.stopping)
            for cron in service.crons:
                yield cron.keep(chassis.unit_of_work, self.stopping)
            yield consume(self.settings, service.consumers, chassis.unit_of_work, self.stopping, self.consuming)

    async def _supervise(self, parts: list[Part], aides: list[Part]) -> int:
        """A part that fails takes the process with it: a supervisor starts a fresh one. Parts drain, aides are just ended."""
        draining, ended = [asyncio.create_task(part) for part in parts], [asyncio.create_task(aide) for aide in aides]
        stopped = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([stopped, *draining, *ended], return_when=asyncio.FIRST_COMPLETED)
        self.stopping.set()
        await asyncio.wait(draining, timeout=self.settings.drain_seconds)
        failed = [task for task in (*draining, *ended) if task.done() and not task.cancelled() and task.exception()]
        for task in failed:
            log.critical("a part of the process failed", exc_info=task.exception())
        for task in (*draining, *ended):
            task.cancel()
        await asyncio.gather(*draining, *ended, return_exceptions=True)
        return 1 if failed else 0

    async def _serve(self, chassis: Chassis, service: Service, *, works: bool) -> None:
        serves = self.role in ("api", "all")
        checks = {
            "database": health.database_check(chassis.database),
            "kafka": health.kafka_check(self.settings.kafka_bootstrap),
            "outbox": health.outbox_check(chassis.database),
        }
        if works:
            checks["consumers"] = health.consumers_check(self.consuming)
        app = http.create_app(
            self.settings,
            service.title,
            service.body_max_bytes,
            [*(service.routers if serves else ()), health.router],
            checks=checks,
            chassis=chassis,
            verifier=TokenVerifier(self.settings),
            **service.state,
        )
        server = _Server(
            uvicorn.Config(
                app,
                host=self.settings.http_host,
                port=self.settings.http_port,
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=int(self.settings.drain_seconds),
            )
        )
        serving = asyncio.create_task(server.serve())
        await asyncio.wait([serving, asyncio.create_task(self.stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving


def _aides(chassis: Chassis) -> Iterator[Part]:
    yield chassis.clock.keep(chassis.database)
    yield chassis.doorbell.run()


class _Server(uvicorn.Server):
    """Signals are the process's business: it drains its consumers too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
