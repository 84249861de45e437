"""What a club asks of its week: how many holds became bookings, how many players paid too late, how much is owed back.

Counted when the transaction has committed; counters begin at zero with each process, so ask for rates and increases.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from prometheus_client import Counter

from courtside_contracts import booking as facts
from services.booking.bookings.domain import Booking, Reason
from services.booking.venues.domain import Venue
from services.chassis.unit_of_work import UnitOfWork

BOOKINGS = Counter(
    "courtside_bookings_total", "What happened to bookings, by event; a hold is booking.held.v1", ["fact"]
)
LATE_PAYMENTS = Counter(
    "courtside_late_payments_total",
    "Money that came after its hold had ended: confirmed all the same, or owed back",
    ["outcome"],
)
REFUNDS_OWED = Counter("courtside_refunds_owed_total", "Refunds that became due", ["reason"])
REFUNDS_OWED_MINOR = Counter(
    "courtside_refunds_owed_minor_total", "Their money, in minor units", ["reason", "currency"]
)

# From the start, so that the first of each is an increase, and an alert can tell none from nobody who counts.
for _fact in (facts.BookingHeld, facts.BookingConfirmed, facts.BookingCancelled, facts.BookingExpired):
    BOOKINGS.labels(_fact.type)
for _outcome in ("confirmed", "owed back"):
    LATE_PAYMENTS.labels(_outcome)
for _reason in get_args(Reason):
    REFUNDS_OWED.labels(_reason)


def expect_debts(venues: Iterable[Venue]) -> None:
    """In the currencies of these venues: no process knows them before it has looked at its venues, for whatever comes first."""
    for currency in {venue.currency for venue in venues}:
        for reason in get_args(Reason):
            REFUNDS_OWED_MINOR.labels(reason, currency)


def count_debt(work: UnitOfWork, booking: Booking) -> None:
    """Of the refund that this change has made due."""
    due = booking.refunds_due[-1]
    work.count(REFUNDS_OWED.labels(due.reason))
    work.count(REFUNDS_OWED_MINOR.labels(due.reason, booking.currency), due.amount_minor)
