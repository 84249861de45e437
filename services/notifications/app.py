"""Notifications: tells players by e-mail what happened to their bookings. What it reads, and what it does with it, is this screen."""

from __future__ import annotations

from datetime import timedelta

from courtside_contracts.booking import BookingConfirmed
from courtside_contracts.topics import BOOKING_EVENTS, USER_PROFILES
from courtside_contracts.user import UserProfile
from services.chassis import limits
from services.chassis.breaker import Breaker
from services.chassis.consuming import Consumers
from services.chassis.crons import Cron
from services.chassis.dead_letters import api as dead_letters
from services.chassis.idempotency import PURGE_BATCH, purge
from services.chassis.service import Chassis, Service
from services.notifications.emails.actions import Resend
from services.notifications.emails.consumers import Mailing
from services.notifications.recipients import consumers as recipients
from services.notifications.recipients.mutations import remember
from services.notifications.settings import NotificationsSettings

CRONS = (
    Cron("purge idempotency answers", timedelta(minutes=10), PURGE_BATCH, purge),
    Cron("purge rate limits", timedelta(minutes=1), limits.PURGE_BATCH, limits.purge),
)
"""They tidy; no promise rests on them."""


def build(chassis: Chassis) -> Service:
    settings = chassis.settings
    assert isinstance(settings, NotificationsSettings)
    resend = Resend(settings.resend_base_url, settings.resend_api_key)
    mailing = Mailing(resend, settings.sender, settings.resend_per_second)
    return Service(
        "Courtside notifications",
        routers=(dead_letters.router(),),
        consumers=consumers(mailing, resend.breaker),
        crons=CRONS,
        close=resend.close,
    )


def consumers(mailing: Mailing, breaker: Breaker | None) -> Consumers:
    return Consumers(
        topics=(BOOKING_EVENTS, USER_PROFILES),
        projections={UserProfile: remember},
        tombstones={UserProfile: recipients.forget},
        calling_out={BookingConfirmed: mailing.confirm},
        breaker=breaker,
    )
