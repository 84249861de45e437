"""`python -m services.payments restored`: all is heard again. A hold that still stands gets a new page to pay at.

Money that came on a page which the restored database does not know is quarantined: an order for a person to look at.
"""

from __future__ import annotations

from functools import partial

from courtside_contracts.topics import BOOKING_EVENTS, PAYMENT_EVENTS, POLAR_WEBHOOKS, USER_PROFILES
from services.chassis import restoring

HEARD, PROJECTED = (BOOKING_EVENTS, PAYMENT_EVENTS, POLAR_WEBHOOKS), (USER_PROFILES,)

run = partial(restoring.run, main=HEARD, projections=PROJECTED)
