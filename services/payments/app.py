"""The payment service on one screen: what it reads, what it does with it, and what it serves."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from courtside_contracts.booking import (
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingEvent,
    BookingExpired,
    BookingHeld,
    BookingRefundDue,
    BookingRescheduled,
)
from courtside_contracts.payment import PaymentRefundRequested
from courtside_contracts.topics import BOOKING_EVENTS, PAYMENT_EVENTS, POLAR_WEBHOOKS, USER_PROFILES
from courtside_contracts.user import UserProfile
from services.chassis import http, limits
from services.chassis.consuming import Consumers
from services.chassis.crons import Cron, Errand
from services.chassis.dead_letters import api as dead_letters
from services.chassis.idempotency import PURGE_BATCH, purge
from services.chassis.service import Chassis, Service
from services.payments.accounts import api as accounts
from services.payments.actions import Polar
from services.payments.bookings.consumers import follow
from services.payments.checkouts.consumers import open_checkout
from services.payments.profiles.mutations import forget_profile, keep_profile
from services.payments.quarantine import api as quarantine
from services.payments.reconciliation import api as reconciliation
from services.payments.reconciliation.reconciler import Reconciler
from services.payments.refunds.consumers import pay_back
from services.payments.settings import PaymentsSettings
from services.payments.webhooks import mutations as webhooks
from services.payments.webhooks.api import router as webhooks_router
from services.payments.webhooks.consumers import look_where_told
from services.payments.webhooks.domain import WEBHOOK_MAX_BYTES, PolarWebhook
from services.payments.webhooks.receiving import Receiving

SETTLED: tuple[type[BookingEvent], ...] = (
    BookingConfirmed,
    BookingRescheduled,
    BookingCancelled,
    BookingExpired,
    BookingCompleted,
    BookingRefundDue,
)
"""Each may be the first that we hear of a debt."""

CRONS = (
    Cron("purge idempotency answers", timedelta(minutes=10), PURGE_BATCH, purge),
    Cron("purge rate limits", timedelta(minutes=1), limits.PURGE_BATCH, limits.purge),
    Cron("purge webhooks", timedelta(hours=1), webhooks.PURGE_BATCH, webhooks.purge),
)
"""They tidy; no promise rests on them."""


TITLE = "Courtside payments"
STAFF = (accounts.router, quarantine.router)
OPERATORS = (reconciliation.router, dead_letters.router())
ROUTERS = (webhooks_router, *STAFF, *OPERATORS)


def build(chassis: Chassis) -> Service:
    settings = chassis.settings
    assert isinstance(settings, PaymentsSettings)
    polar = Polar.connect(settings)
    reconciler = Reconciler(polar, chassis.unit_of_work)
    return Service(
        body_max_bytes=WEBHOOK_MAX_BYTES,
        title=TITLE,
        routers=ROUTERS,
        consumers=consumers(polar, timedelta(seconds=settings.unsettled_seconds + polar.deadline_seconds)),
        crons=(*CRONS, *errands(reconciler, timedelta(seconds=settings.reconcile_every_seconds))),
        state={
            "polar_webhook_secrets": settings.polar_webhook_secrets,
            "receiving": Receiving(chassis.unit_of_work),
            "polar": polar,
        },
        close=polar.close,
    )


def openapi() -> str:
    return http.describe(TITLE, ROUTERS)


def errands(reconciler: Reconciler, every: timedelta) -> tuple[Errand, ...]:
    """The guarantee beside the fast path: bookings are confirmed and refunds followed with every webhook lost."""
    return (Errand("reconcile", every, reconciler.carry_on, reconciler.show_differences),)


def consumers(polar: Polar, rest: timedelta = timedelta(minutes=1)) -> Consumers:
    """`rest` is how long a refund whose call may have been made is left alone, the call itself within. What must go back is told on our
    own topic, so that it has the retries and dead letters that everything has.
    """
    return Consumers(
        topics=(BOOKING_EVENTS, USER_PROFILES, PAYMENT_EVENTS, POLAR_WEBHOOKS),
        projections={UserProfile: keep_profile},
        tombstones={UserProfile: forget_profile},
        in_transaction=dict.fromkeys(SETTLED, follow),
        calling_out={
            BookingHeld: partial(open_checkout, polar=polar),
            PaymentRefundRequested: partial(pay_back, polar=polar, rest=rest),
            PolarWebhook: partial(look_where_told, polar=polar),
        },
        breaker=polar.breaker,
    )
