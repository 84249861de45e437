"""The booking service on one screen: its routes, and what it does with each event that it reads."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from courtside_contracts.payment import PaymentCheckoutOpened, PaymentRefunded, PaymentSucceeded
from courtside_contracts.topics import PAYMENT_EVENTS
from services.booking.availability import api as availability
from services.booking.availability.answering import Answers
from services.booking.blocked_slots import api as blocked_slots
from services.booking.bookings import api as bookings
from services.booking.bookings import consumers as payments
from services.booking.bookings import mutations
from services.booking.bookings import reading_api as reading
from services.booking.bookings.counting import expect_debts
from services.booking.bookings.outlook import Outlooks
from services.booking.calendars import api as calendars
from services.booking.closures import api as closures
from services.booking.closures import mutations as closing
from services.booking.settings import BookingSettings
from services.booking.users import api as users
from services.booking.users import staff_api as staff
from services.booking.users.domain import UserErased
from services.booking.users.mutations import KnownUsers
from services.booking.venues.queries import Catalogue
from services.chassis import http, limits
from services.chassis.consuming import Consumers
from services.chassis.crons import Cron
from services.chassis.dead_letters import api as dead_letters
from services.chassis.idempotency import PURGE_BATCH, purge
from services.chassis.service import Chassis, Service

TITLE = "Courtside booking"
BOOKINGS = (reading.router, bookings.router, calendars.by_user, calendars.by_token)
PEOPLE, CLUB = (users.router, staff.router), (blocked_slots.router, closures.router)
OPERATORS = (dead_letters.router(staff.admin, UserErased),)
ROUTERS = (availability.router, *BOOKINGS, *PEOPLE, *CLUB, *OPERATORS)


def build(chassis: Chassis) -> Service:
    settings, catalogue = chassis.settings, Catalogue(chassis.database, expect_debts)
    assert isinstance(settings, BookingSettings)
    return Service(
        title=TITLE,
        routers=ROUTERS,
        consumers=consumers(catalogue),
        crons=crons(catalogue),
        state={
            "answers": Answers(chassis),
            "outlooks": Outlooks(chassis),
            "catalogue": catalogue,
            "known_users": KnownUsers(chassis.unit_of_work),
            "calendar_key": settings.calendar_key,
        },
        close=catalogue.close,
    )


def consumers(catalogue: Catalogue) -> Consumers:
    return Consumers(
        topics=(PAYMENT_EVENTS,),
        in_transaction={
            PaymentCheckoutOpened: payments.show_checkout,
            PaymentSucceeded: partial(payments.take_payment, catalogue),
            PaymentRefunded: partial(payments.lose_payment, catalogue),
        },
    )


def openapi() -> str:
    return http.describe(TITLE, ROUTERS)


def crons(catalogue: Catalogue) -> tuple[Cron, ...]:
    """None of them is needed for a promise to hold: they tidy, so that nothing waits for the next player."""
    return (
        Cron(
            "expire holds", timedelta(seconds=10), mutations.BATCH, lambda work: mutations.expire_all(work, catalogue)
        ),
        Cron(
            "complete bookings",
            timedelta(minutes=1),
            mutations.BATCH,
            lambda work: mutations.complete_ended(work, catalogue),
        ),
        Cron("carry on closures", timedelta(seconds=5), closing.BATCH, lambda work: closing.carry_on(work, catalogue)),
        Cron("purge idempotency answers", timedelta(minutes=10), PURGE_BATCH, purge),
        Cron("purge rate limits", timedelta(minutes=1), limits.PURGE_BATCH, limits.purge),
    )
