"""All there is in a simulation: three services on three databases, a log, a clock, two providers, and whose turn it is."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from services.booking.users.mutations import KnownUsers
from services.booking.venues import seed as club
from services.booking.venues.queries import Catalogue
from services.chassis import migrations
from tests.simulation.assembling import services
from tests.simulation.databases import empty, steer_time, wait_as_long_as_it_takes
from tests.simulation.history import Call
from tests.simulation.memory_log import MemoryLog, MemoryProducer
from tests.simulation.offices import Office, Tools
from tests.simulation.pinning import BEGINNING, Chance, SimulatedClock, pin
from tests.simulation.providers import Polar, Resend
from tests.simulation.turns import Turns, checkpoint


@dataclass
class World:
    clock: SimulatedClock
    chance: Chance
    log: MemoryLog
    turns: Turns
    polar: Polar
    resend: Resend
    trace: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    offices: dict[str, Office] = field(default_factory=dict)
    catalogue: Catalogue = field(init=False)
    known_users: KnownUsers = field(init=False)

    @classmethod
    async def open(cls, urls: Mapping[str, str]) -> World:
        """`urls` are those of three databases that nobody else uses. There is one world in a process, and it stays."""
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        wait_as_long_as_it_takes()
        clock, trace = SimulatedClock(), list[str]()
        log, note = MemoryLog(clock), trace.append
        world = cls(clock, Chance(clock), log, Turns(note), Polar.open(clock), Resend.open(clock), trace)
        producer = MemoryProducer(log, lambda record: note(f"{record.topic} {record.partition} {record.offset}"))
        tools = Tools(clock, world.chance, log, producer)
        for settings, build in services(world, urls):
            await asyncio.to_thread(migrations.upgrade, settings)
            office = await Office.open(settings, tools, build)
            await steer_time(office.chassis.database)
            world.offices[office.name] = office
        await world._open_club()
        pin(clock, world.chance, world.sleep)
        return world

    async def close(self) -> None:
        for office in self.offices.values():
            await office.close()

    async def start_over(self, seed: int) -> None:
        """Nothing is left of the run before; the club is there, and nobody has booked."""
        await self.turns.bury_all()
        for part in (self.trace, self.calls, self.turns.actors, self.log.in_order):
            part.clear()
        self.log.partitions.clear()
        self.log.offsets.clear()
        self.clock.at = BEGINNING
        self.chance.begin(seed)
        self.polar.start_over()
        self.resend.start_over()
        for office in self.offices.values():
            await empty(office.chassis.database)
            office.start_over()
        self.forget_users()

    # Time

    async def pass_time(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)
        self.polar.catch_up()

    async def go_to(self, instant: datetime) -> None:
        await self.pass_time(max(0.0, (instant - self.clock.at).total_seconds()))

    async def sleep(self, seconds: float) -> None:
        """What sleeps in the product passes time for all."""
        await self.pass_time(seconds)
        await checkpoint("woken")

    # Its parts

    @property
    def booking(self) -> Office:
        return self.offices["booking"]

    @property
    def payments(self) -> Office:
        return self.offices["payments"]

    @property
    def notifications(self) -> Office:
        return self.offices["notifications"]

    def forget_users(self) -> None:
        """A process of the API remembers whom it has seen."""
        self.known_users = KnownUsers(self.booking.chassis.unit_of_work)

    def digest(self) -> str:
        return hashlib.sha256("\n".join(self.trace).encode()).hexdigest()[:16]

    async def _open_club(self) -> None:
        database = self.booking.chassis.database
        async with database.engine.begin() as connection:
            await club.seed(connection)
        await self.catalogue.venue(club.VENUE_ID)
        self.catalogue._read_at = float("inf")  # the club changes nothing while it is looked at
