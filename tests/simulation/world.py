"""All there is in a simulation: three services on three databases, a log, a clock, two providers, and whose turn it is."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from services.booking import app as booking_app
from services.booking.settings import BookingSettings
from services.booking.users.mutations import KnownUsers
from services.booking.venues import seed as club
from services.booking.venues.queries import Catalogue
from services.chassis import migrations
from services.chassis.breaker import Breaker
from services.chassis.retrying import Ladder
from services.chassis.service import Chassis
from services.chassis.settings import Settings
from services.notifications import app as notifications_app
from services.notifications.emails import actions as mailing
from services.notifications.emails.consumers import Sending, Writing
from services.notifications.emails.pace import Pace
from services.notifications.reminders.crons import PASSING
from services.notifications.settings import NotificationsSettings
from services.payments import actions as paying
from services.payments import app as payments_app
from services.payments.reconciliation.reconciler import Reconciler
from services.payments.settings import PaymentsSettings
from tests.simulation.databases import empty, steer_time, wait_as_long_as_it_takes
from tests.simulation.history import Call
from tests.simulation.memory_log import MemoryLog, MemoryProducer
from tests.simulation.offices import POOL, Build, Office, Tools, of_one_process, without_asking_the_broker
from tests.simulation.pinning import BEGINNING, Chance, SimulatedClock, pin
from tests.simulation.providers import Polar, Resend
from tests.simulation.turns import Turns, checkpoint

REST = timedelta(seconds=60 + 12)
"""As a process of payments has it by default: a refund's call that broke off is left alone so long."""
NO_DEADLINE_SECONDS = 3_600.0
"""Of the machine's own time, in which a call is held up; the wire keeps the deadline of simulated time."""


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
        for settings, build in world._services(urls):
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

    def _services(self, urls: Mapping[str, str]) -> tuple[tuple[Settings, Any], ...]:
        told: dict[str, Any] = {"environment": "test", "database_pool_size": POOL}
        booking = BookingSettings(database_url=urls["booking"], **told)
        payments = PaymentsSettings(
            database_url=urls["payments"],
            polar_base_url="http://polar.test",
            polar_access_token=self.polar.standin.settings.access_token,
            polar_product_id=self.polar.standin.settings.product_id,
            **told,
        )
        notifications = NotificationsSettings(
            database_url=urls["notifications"],
            resend_base_url="http://resend.test",
            resend_api_key=self.resend.outbox.settings.api_key,
            **told,
        )
        return (
            (booking, self._build_booking),
            (payments, self._build_payments),
            (notifications, self._build_notifications),
        )

    def _build_booking(self, chassis: Chassis) -> Build:
        self.catalogue = Catalogue(chassis.database)
        crons = [cron for cron in booking_app.crons(self.catalogue) if cron.name != "carry on closures"]
        return lambda: (booking_app.consumers(self.catalogue), crons)

    def _build_payments(self, chassis: Chassis) -> Build:
        assert isinstance(chassis.settings, PaymentsSettings)
        settings = chassis.settings
        connected = replace(paying.Polar.connect(settings), deadline_seconds=NO_DEADLINE_SECONDS)
        connected.client.checkouts.client._client._transport = self.polar.wire

        def build() -> tuple[Any, Any]:
            polar = of_one_process(connected, Breaker("polar"))
            every = timedelta(seconds=settings.reconcile_every_seconds)
            errands = payments_app.errands(Reconciler(polar, chassis.unit_of_work), every)
            return payments_app.consumers(polar, REST), errands

        return build

    def _build_notifications(self, chassis: Chassis) -> Build:
        assert isinstance(chassis.settings, NotificationsSettings)
        settings = chassis.settings
        connected = mailing.Resend(settings.resend_base_url, settings.resend_api_key, NO_DEADLINE_SECONDS)
        connected._http._client._transport = self.resend.wire
        letterhead, pace = notifications_app.letterhead_of(settings), Pace(connected.name, settings.resend_per_second)
        call_within = timedelta(seconds=settings.resend_call_seconds)

        def build() -> tuple[Any, Any]:
            resend = of_one_process(connected, Breaker("resend"))
            sending = Sending(resend, pace, call_within, self.sleep)
            consumers = notifications_app.consumers(Writing(letterhead), sending, resend.breaker)
            crons = notifications_app.crons(letterhead, settings)
            remind = partial(without_asking_the_broker, has_caught_up=self._notifications_has_heard_all)
            return consumers, [remind(cron) if cron.name == "remind" else cron for cron in crons]

        return build

    def _notifications_has_heard_all(self) -> bool:
        """What `reminders.crons.has_heard_all` asks the broker."""
        tiers = [Ladder("notifications").topic(tier) for tier in PASSING]
        read = {"notifications": ["booking.events"], "notifications.projections": ["user.profiles"]}
        return not any(
            self.log.lag(group, topics) for group, topics in (read | {tier: [tier] for tier in tiers}).items()
        )
