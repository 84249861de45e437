"""`python -m services.notifications restored`: profiles are heard again, bookings are not, since their mails have been sent."""

from __future__ import annotations

from functools import partial

from courtside_contracts.topics import USER_PROFILES
from services.chassis import restoring

PROJECTED = (USER_PROFILES,)

run = partial(restoring.run, projections=PROJECTED)
