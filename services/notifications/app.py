"""Notifications on one screen: it tells players by e-mail what happened to their bookings, and staff what became of the mails."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from courtside_contracts.booking import (
    BookingCancelled,
    BookingCompleted,
    BookingConfirmed,
    BookingExpired,
    BookingHeld,
    BookingRefundDue,
    BookingRescheduled,
)
from courtside_contracts.notification import NotificationQueued
from courtside_contracts.payment import PaymentRefunded, PaymentRefundFailed
from courtside_contracts.topics import (
    BOOKING_EVENTS,
    NOTIFICATION_EVENTS,
    PAYMENT_EVENTS,
    RESEND_WEBHOOKS,
    USER_PROFILES,
)
from courtside_contracts.user import UserProfile
from services.chassis import http, limits
from services.chassis.breaker import Breaker
from services.chassis.consuming import Consumers
from services.chassis.crons import Cron
from services.chassis.dead_letters import api as dead_letters
from services.chassis.idempotency import PURGE_BATCH, purge
from services.chassis.service import Chassis, Service
from services.notifications.emails import api as emails
from services.notifications.emails import mutations as emails_mutations
from services.notifications.emails.actions import Resend
from services.notifications.emails.consumers import Sending, Writing
from services.notifications.emails.pace import Pace
from services.notifications.emails.writing import Letterhead
from services.notifications.recipients import consumers as recipients
from services.notifications.recipients.mutations import remember
from services.notifications.recipients.queries import Recipient
from services.notifications.reminders import crons as reminders
from services.notifications.settings import NotificationsSettings
from services.notifications.suppressions import api as suppressions
from services.notifications.webhooks import api as webhooks
from services.notifications.webhooks import mutations as stored_webhooks
from services.notifications.webhooks.consumers import take_up
from services.notifications.webhooks.domain import WEBHOOK_MAX_BYTES, ResendWebhook

TITLE = "Courtside notifications"
ROUTERS = (emails.router, suppressions.router, webhooks.router, dead_letters.router())


def build(chassis: Chassis) -> Service:
    settings = chassis.settings
    assert isinstance(settings, NotificationsSettings)
    resend = Resend(settings.resend_base_url, settings.resend_api_key, settings.resend_call_seconds)
    letterhead = letterhead_of(settings)
    call_within = timedelta(seconds=settings.resend_call_seconds)
    sending = Sending(resend, Pace(resend.name, settings.resend_per_second), call_within)
    return Service(
        TITLE,
        routers=ROUTERS,
        consumers=consumers(Writing(letterhead), sending, resend.breaker),
        crons=crons(letterhead, settings),
        body_max_bytes=WEBHOOK_MAX_BYTES,
        state={"letterhead": letterhead, "resend_webhook_secrets": settings.resend_webhook_secrets},
        close=resend.close,
    )


def letterhead_of(settings: NotificationsSettings) -> Letterhead:
    staff = Recipient(settings.staff_address, settings.staff_name, settings.staff_locale)
    return Letterhead(settings.sender, staff, settings.booking_page)


def consumers(writing: Writing, sending: Sending, breaker: Breaker | None) -> Consumers:
    """What is told to us is written down, mails included, and never waits behind mails that are sent."""
    return Consumers(
        topics=(BOOKING_EVENTS, PAYMENT_EVENTS, USER_PROFILES, RESEND_WEBHOOKS, NOTIFICATION_EVENTS),
        projections={UserProfile: remember},
        tombstones={UserProfile: recipients.forget},
        in_transaction={
            BookingHeld: writing.tell,
            BookingConfirmed: writing.tell,
            BookingRescheduled: writing.tell_of_move,
            BookingCancelled: writing.tell_of_end,
            BookingExpired: writing.tell,
            BookingCompleted: writing.note,
            BookingRefundDue: writing.note,
            PaymentRefunded: writing.tell_of_refund,
            PaymentRefundFailed: writing.tell_staff_of_refund,
            ResendWebhook: take_up,
        },
        calling_out={NotificationQueued: sending.send},
        paced=(NOTIFICATION_EVENTS,),
        breaker=breaker,
    )


def openapi() -> str:
    return http.describe(TITLE, ROUTERS)


def crons(letterhead: Letterhead, settings: NotificationsSettings) -> tuple[Cron, ...]:
    """The first two are promises; the others tidy."""
    remind, has_heard_all = partial(reminders.remind, letterhead=letterhead), partial(reminders.has_heard_all, settings)
    return (
        Cron("remind", timedelta(minutes=1), reminders.BATCH, remind, has_heard_all),
        Cron("give up mails", timedelta(minutes=10), emails_mutations.GIVE_UP_BATCH, emails_mutations.give_up),
        Cron("purge webhooks", timedelta(hours=1), stored_webhooks.PURGE_BATCH, stored_webhooks.purge),
        Cron("purge idempotency answers", timedelta(minutes=10), PURGE_BATCH, purge),
        Cron("purge rate limits", timedelta(minutes=1), limits.PURGE_BATCH, limits.purge),
    )
