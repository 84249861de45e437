"""The payment service on one screen: what it reads, what it does with it, and what it serves."""

from __future__ import annotations

from functools import partial

from courtside_contracts.booking import BookingHeld
from courtside_contracts.topics import BOOKING_EVENTS, POLAR_WEBHOOKS, USER_PROFILES
from courtside_contracts.user import UserProfile
from services.chassis.consuming import Consumers
from services.chassis.service import Chassis, Service
from services.payments.actions import Polar
from services.payments.checkouts.consumers import open_checkout
from services.payments.profiles.mutations import forget_profile, keep_profile
from services.payments.settings import PaymentsSettings
from services.payments.webhooks.api import router as webhooks_router
from services.payments.webhooks.consumers import take_up
from services.payments.webhooks.domain import WEBHOOK_MAX_BYTES, PolarWebhook


def build(chassis: Chassis) -> Service:
    settings = chassis.settings
    assert isinstance(settings, PaymentsSettings)
    polar = Polar.connect(settings)
    return Service(
        body_max_bytes=WEBHOOK_MAX_BYTES,
        title="Courtside payments",
        routers=(webhooks_router,),
        consumers=consumers(polar),
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
