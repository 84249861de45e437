"""The payment service on one screen: what it reads, what it does with it, and what it serves."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from courtside_contracts.booking import BookingHeld
from courtside_contracts.topics import BOOKING_EVENTS, POLAR_WEBHOOKS, USER_PROFILES
from courtside_contracts.user import UserProfile
from services.chassis import limits
from services.chassis.consuming import Consumers
from services.chassis.crons import Cron
from services.chassis.dead_letters import api as dead_letters
from services.chassis.idempotency import PURGE_BATCH, purge
from services.chassis.service import Chassis, Service
from services.payments.actions import Polar
from services.payments.checkouts.consumers import open_checkout
from services.payments.profiles.mutations import forget_profile, keep_profile
from services.payments.settings import PaymentsSettings
from services.payments.webhooks.api import router as webhooks_router
from services.payments.webhooks.consumers import take_up
from services.payments.webhooks.domain import WEBHOOK_MAX_BYTES, PolarWebhook

CRONS = (
    Cron("purge idempotency answers", timedelta(minutes=10), PURGE_BATCH, purge),
    Cron("purge rate limits", timedelta(minutes=1), limits.PURGE_BATCH, limits.purge),
)
"""They tidy; no promise rests on them."""


def build(chassis: Chassis) -> Service:
    settings = chassis.settings
    assert isinstance(settings, PaymentsSettings)
    polar = Polar.connect(settings)
    return Service(
        body_max_bytes=WEBHOOK_MAX_BYTES,
        title="Courtside payments",
        routers=(webhooks_router, dead_letters.router()),
        consumers=consumers(polar),
        crons=CRONS,
        state={"polar_webhook_secrets": settings.polar_webhook_secrets},
        close=polar.close,
    )


def consumers(polar: Polar) -> Consumers:
    return Consumers(
        topics=(BOOKING_EVENTS, USER_PROFILES, POLAR_WEBHOOKS),
        projections={UserProfile: keep_profile},
        tombstones={UserProfile: forget_profile},
        calling_out={
            BookingHeld: partial(open_checkout, polar=polar),
            PolarWebhook: partial(take_up, polar=polar),
        },
        breaker=polar.breaker,
    )
