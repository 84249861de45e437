"""What each service's `build` puts together for a process, with the providers' clients led to the stand-ins in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from services.booking import app as booking_app
from services.booking.settings import BookingSettings
from services.booking.venues.queries import Catalogue
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
from tests.simulation.memory_log import MemoryLog
from tests.simulation.offices import POOL, Build

if TYPE_CHECKING:
    from tests.simulation.world import World

REST = timedelta(seconds=60 + 12)
"""As a process of payments has it by default: a refund's call that broke off is left alone so long."""
NO_DEADLINE_SECONDS = 3_600.0
"""Of the machine's own time, in which a call is held up; the wire keeps the deadline of simulated time."""


def services(world: World, urls: Mapping[str, str]) -> tuple[tuple[Settings, Any], ...]:
    told: dict[str, Any] = {"environment": "test", "database_pool_size": POOL}
    booking = BookingSettings(database_url=urls["booking"], **told)
    payments = PaymentsSettings(
        database_url=urls["payments"],
        polar_base_url="http://polar.test",
        polar_access_token=world.polar.standin.settings.access_token,
        polar_product_id=world.polar.standin.settings.product_id,
        **told,
    )
    notifications = NotificationsSettings(
        database_url=urls["notifications"],
        resend_base_url="http://resend.test",
        resend_api_key=world.resend.outbox.settings.api_key,
        **told,
    )
    return (
        (booking, partial(_booking, world)),
        (payments, partial(_payments, world)),
        (notifications, partial(_notifications, world)),
    )


def _booking(world: World, chassis: Chassis) -> Build:
    world.catalogue = Catalogue(chassis.database)
    crons = [cron for cron in booking_app.crons(world.catalogue) if cron.name != "carry on closures"]
    return lambda: (booking_app.consumers(world.catalogue), crons)


def _payments(world: World, chassis: Chassis) -> Build:
    assert isinstance(chassis.settings, PaymentsSettings)
    settings = chassis.settings
    connected = replace(paying.Polar.connect(settings), deadline_seconds=NO_DEADLINE_SECONDS)
    connected.client.checkouts.client._client._transport = world.polar.wire

    def build() -> tuple[Any, Any]:
        polar = _of_one_process(connected, Breaker("polar"))
        every = timedelta(seconds=settings.reconcile_every_seconds)
        errands = payments_app.errands(Reconciler(polar, chassis.unit_of_work), every)
        return payments_app.consumers(polar, REST), errands

    return build


def _notifications(world: World, chassis: Chassis) -> Build:
    assert isinstance(chassis.settings, NotificationsSettings)
    settings = chassis.settings
    connected = mailing.Resend(settings.resend_base_url, settings.resend_api_key, NO_DEADLINE_SECONDS)
    connected._http._client._transport = world.resend.wire
    letterhead, pace = notifications_app.letterhead_of(settings), Pace(connected.name, settings.resend_per_second)
    call_within = timedelta(seconds=settings.resend_call_seconds)

    def build() -> tuple[Any, Any]:
        resend = _of_one_process(connected, Breaker("resend"))
        sending = Sending(resend, pace, call_within, world.sleep)
        consumers = notifications_app.consumers(Writing(letterhead), sending, resend.breaker)
        crons = notifications_app.crons(letterhead, settings)
        remind = partial(_without_asking_the_broker, has_caught_up=lambda: _has_heard_all(world.log))
        return consumers, [remind(cron) if cron.name == "remind" else cron for cron in crons]

    return build


def _has_heard_all(log: MemoryLog) -> bool:
    """What `reminders.crons.has_heard_all` asks the broker."""
    tiers = [Ladder("notifications").topic(tier) for tier in PASSING]
    read = {"notifications": ["booking.events"], "notifications.projections": ["user.profiles"]}
    return not any(log.lag(group, topics) for group, topics in (read | {tier: [tier] for tier in tiers}).items())


def _without_asking_the_broker(cron: Any, has_caught_up: Callable[[], bool]) -> Any:
    async def may_fire() -> bool:
        return has_caught_up()

    return replace(cron, may_fire=may_fire)


def _of_one_process(adapter: Any, breaker: Any) -> Any:
    """The same adapter, with a breaker of its own."""
    own = copy.copy(adapter)
    object.__setattr__(own, "breaker", breaker)
    return own
