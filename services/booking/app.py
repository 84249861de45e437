"""The booking service on one screen: its routes, and what it does with each event that it reads."""

from __future__ import annotations

from functools import partial

from courtside_contracts.payment import PaymentCheckoutOpened, PaymentSucceeded
from courtside_contracts.topics import PAYMENT_EVENTS
from services.booking.availability import api as availability
from services.booking.bookings import api as bookings
from services.booking.bookings import consumers
from services.booking.users.mutations import KnownUsers
from services.booking.venues.queries import Catalogue
from services.chassis.consuming import Consumers
from services.chassis.service import Chassis, Service


def build(chassis: Chassis) -> Service:
    catalogue = Catalogue(chassis.database)
    return Service(
        title="Courtside booking",
        routers=(availability.router, bookings.router),
        consumers=Consumers(
            topics=(PAYMENT_EVENTS,),
            in_transaction={
                PaymentCheckoutOpened: consumers.show_checkout,
                PaymentSucceeded: partial(consumers.confirm, catalogue),
            },
        ),
        state={"catalogue": catalogue, "known_users": KnownUsers(chassis.unit_of_work)},
    )
