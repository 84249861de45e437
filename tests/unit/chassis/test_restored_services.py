"""What each service hears again after a restore is what it reads, but for what cannot be taken back."""

from __future__ import annotations

from deploy.asyncapi.traffic import CONSUMERS
from services.booking import restored as booking
from services.notifications import restored as notifications
from services.payments import restored as payments


def test_booking_hears_all_that_it_reads() -> None:
    assert set(booking.HEARD) == set(CONSUMERS["booking"].topics)


def test_payments_hears_all_that_it_reads() -> None:
    consumers = CONSUMERS["payments"]
    assert set(payments.PROJECTED) == set(consumers.projected_topics)
    assert {*payments.HEARD, *payments.PROJECTED} == set(consumers.topics)


def test_notifications_hears_profiles_and_sends_no_mail_again() -> None:
    assert set(notifications.PROJECTED) == set(CONSUMERS["notifications"].projected_topics)
    assert not hasattr(notifications, "HEARD")
