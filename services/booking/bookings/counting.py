"""What a club asks of its week: how many holds became bookings, how many players paid too late, how much is owed back.

Counted when the transaction has committed; counters begin at zero with each process, so ask for rates and increases.
"""

from __future__ import annotations

from prometheus_client import Counter

from courtside_contracts import booking as facts
from services.booking.bookings.domain import Booking
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


def count_debt(work: UnitOfWork, booking: Booking) -> None:
    """Of the refund that this change has made due."""
    due = booking.refunds_due[-1]
    work.count(REFUNDS_OWED.labels(due.reason))
    work.count(REFUNDS_OWED_MINOR.labels(due.reason, booking.currency), due.amount_minor)
