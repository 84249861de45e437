"""A process of a service: `python -m services.<name> [api|worker|all|migrate]`.

`api` serves HTTP and writes the outbox. `worker` runs relay and consumers and serves health. `all` is both, for a laptop.
SIGTERM drains: no new work, what runs is finished and committed, then the process leaves.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog
import uvloop
from fastapi import APIRouter

from services.chassis import collecting, crash_points, health, http, logging, migrations, outbox_tidying
from services.chassis.auth import TokenVerifier
from services.chassis.breaker import Breaker
from services.chassis.broker_watch import BrokerWatch
from services.chassis.clock import DatabaseClock
from services.chassis.consuming import Consumers
from services.chassis.crons import Periodic
from services.chassis.database import Database
from services.chassis.dead_letters.crons import count_letters
from services.chassis.dead_letters.crons import crons as dead_letter_crons
from services.chassis.dead_letters.domain import Desk
from services.chassis.doorbell import Doorbell
from services.chassis.environment import WronglyTold, read
from services.chassis.exporting import exporting
from services.chassis.isolating import Faults
from services.chassis.migrations_watch import MigrationsWatch
from services.chassis.outbox_lag import measure_lag
from services.chassis.relay import Relay
from services.chassis.restoring import NotRestored
from services.chassis.serving import PortTaken, listen, serve
from services.chassis.settings import Settings
from services.chassis.topics import used_by
from services.chassis.topics_watch import TopicsWatch
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.chassis.working import consume

log = structlog.get_logger()

ROLES = ("api", "worker", "all", "migrate")

Part = Coroutine[Any, Any, None]
Begin = Callable[[], Part]
"""A part that has not begun yet."""
AIDE_PAUSE_SECONDS = 1.0
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
    crons: Sequence[Periodic] = ()
    body_max_bytes: int = 65_536
    state: dict[str, Any] = field(default_factory=dict)
    """What the routes need, by name, as attributes of `request.app.state`."""
    close: Callable[[], Awaitable[None]] | None = None


def main(
    settings_type: type[Settings],
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
        sys.exit(_usage(f"unknown role {role!r}", commands))
    try:
        settings = read(settings_type)
    except WronglyTold as error:
        sys.exit(_usage(str(error), commands))
    crash_points.refuse(settings.environment)
    logging.configure(settings.service, settings.log_level)
    if role == "migrate":
        migrations.upgrade(settings)
    elif role in commands:
        try:
            uvloop.run(commands[role](settings))
        except NotRestored as error:
            print(error, file=sys.stderr)  # noqa: T201
            sys.exit(2)
    else:
        try:
            with exporting(settings, role):
                sys.exit(uvloop.run(Process(settings, build, role).run()))
        except PortTaken as error:
            print(error, file=sys.stderr)  # noqa: T201
            sys.exit(2)


def _usage(message: str, commands: Iterable[str]) -> int:
    words = "|".join((*ROLES, *commands))
    print(f"{message}. Usage: python -m services.<name> [{words}]", file=sys.stderr)  # noqa: T201
    return 2


class Process:
    def __init__(self, settings: Settings, build: Callable[[Chassis], Service], role: str) -> None:
        self.settings, self.build, self.role = settings, build, role
        self.stopping = asyncio.Event()
        self.consuming = asyncio.Event()
        self.stalled = asyncio.Event()
        self.drained = asyncio.Event()
        self.faults = Faults()
        self.serves, self.works = role in ("api", "all"), role in ("worker", "all")
        self.relays = self.works and settings.outbox_relay
        self.tidies = self.works and not settings.outbox_relay

    async def run(self) -> int:
        """Until SIGTERM, or until a part fails for good. The exit code: 0, or 1 when a part failed or did not drain in time."""
        for name in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(name, self.stopping.set)
        listener = listen(self.settings)
        chassis = await self._chassis()
        service = self.build(chassis)
        brokers = BrokerWatch(self.settings)
        topics = TopicsWatch(self.settings, used_by(self.settings.service, service.consumers.topics))
        migrated = MigrationsWatch(chassis.database, self.settings)
        app = http.create_app(
            self.settings,
            service.title,
            service.body_max_bytes,
            [*(service.routers if self.serves else ()), health.router],
            checks=self._checks(chassis, service.consumers.breaker, brokers, topics),
            stalled=self.stalled,
            chassis=chassis,
            desk=Desk(self.settings.service, service.consumers.by_type, relays=self.settings.outbox_relay),
            verifier=TokenVerifier(self.settings),
            **service.state,
        )
        collecting.begin()
        work = [self._once_migrated(migrated, part) for part in self._work(chassis, service)]
        relays = [self._once_migrated(migrated, part) for part in self._relay()]
        watches = [brokers.keep, topics.keep, *([migrated.keep] if self.works else ())]
        try:
            return await self._supervise(
                [serve(app, listener, self.settings, self.stopping), *work],
                relays,
                [*self._aides(chassis), *map(_kept, watches)],
            )
        finally:
            if service.close:
                await service.close()
            await chassis.database.close()

    async def _chassis(self) -> Chassis:
        database, clock = await Database.open(self.settings), DatabaseClock()
        doorbell = Doorbell(self.settings.database_url.get_secret_value())
        return Chassis(self.settings, database, clock, UnitOfWorkFactory(database, clock, doorbell.ring), doorbell)

    def _checks(
        self, chassis: Chassis, breaker: Breaker | None, brokers: BrokerWatch, topics: TopicsWatch
    ) -> dict[str, health.Check]:
        checks = {
            "database": health.database_check(chassis.database),
            "migrations": health.migrations_check(chassis.database, self.settings),
            "clock": health.clock_check(chassis.clock),
            "kafka": health.Check(brokers.verdict, "warn"),
            "topics": health.Check(topics.verdict, "fail" if self.works else "warn"),
        }
        if self.settings.outbox_relay:
            checks["outbox"] = health.outbox_check(chassis.database)
        return checks | (self._checks_of_a_worker(chassis.database, breaker) if self.works else {})

    def _checks_of_a_worker(self, database: Database, breaker: Breaker | None) -> dict[str, health.Check]:
        checks = {
            "consumers": health.consumers_check(self.consuming, self.faults),
            "dead letters": health.letters_check(database),
        }
        return checks | ({breaker.provider: health.provider_check(breaker)} if breaker else {})

    async def _once_migrated(self, migrated: MigrationsWatch, part: Begin) -> None:
        """HTTP does not wait: it refuses what it cannot do, and loses nothing by it. Who is told to stop before has begun nothing."""
        if await migrated.fits(before=self.stopping):
            await part()

    def _work(self, chassis: Chassis, service: Service) -> Iterator[Begin]:
        if self.works:
            events = self.stopping, self.consuming, self.stalled
            yield partial(consume, self.settings, service.consumers, chassis.unit_of_work, *events, self.faults)
            desk = Desk(self.settings.service, service.consumers.by_type, relays=self.settings.outbox_relay)
            tidying = (outbox_tidying.CRON,) if self.tidies else ()
            for cron in (*service.crons, *dead_letter_crons(desk), *tidying):
                yield partial(cron.keep, chassis.unit_of_work, self.stopping)

    def _relay(self) -> list[Begin]:
        """Told to stop last: what the others finish while they drain still leaves."""
        relay = Relay(self.settings, self.settings.database_url.get_secret_value())
        return [partial(relay.run, self.drained)] if self.relays else []

    def _aides(self, chassis: Chassis) -> list[Part]:
        database = chassis.database
        aides: list[Begin] = [partial(chassis.clock.keep, database), chassis.doorbell.run]
        aides += [partial(measure_lag, database)] if self.settings.outbox_relay else []
        aides += [partial(count_letters, database)] if self.works else []
        return [_kept(aide) for aide in aides]

    async def _supervise(self, parts: list[Part], relays: list[Part], aides: list[Part]) -> int:
        """A part that fails takes the process with it: a supervisor starts a fresh one. Aides are just ended."""
        first, last, ended = ([asyncio.create_task(part) for part in group] for group in (parts, relays, aides))
        everything = [*first, *last, *ended]
        stopped = asyncio.create_task(self.stopping.wait())
        await asyncio.wait([stopped, *everything], return_when=asyncio.FIRST_COMPLETED)
        self.stopping.set()
        for group, told in ((first, self.stopping), (last, self.drained)):
            told.set()
            if group:
                await asyncio.wait(group, timeout=self.settings.drain_seconds)
        undrained = [task for task in (*first, *last) if not task.done()]
        if undrained:
            log.warning("not drained in time: what ran is done again by the next process", parts=len(undrained))
        failed = [task for task in everything if task.done() and not task.cancelled() and task.exception()]
        for task in failed:
            log.critical("a part of the process failed", exc_info=task.exception())
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)
        return 1 if failed or undrained else 0


async def _kept(aide: Begin) -> None:
    """What only watches and tells ends no process, whatever it meets: it is begun again."""
    while True:
        try:
            await aide()
        except Exception:
            log.exception("what watches has failed, and begins again")
        await asyncio.sleep(AIDE_PAUSE_SECONDS)
