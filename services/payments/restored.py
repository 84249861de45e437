"""`python -m services.payments restored`: all is heard again. A hold that still stands gets a new page to pay at.

Money that came on a page which the restored database does not know is quarantined: an order for a person to look at.
"""

from __future__ import annotations

from courtside_contracts.topics import BOOKING_EVENTS, POLAR_WEBHOOKS, USER_PROFILES
from services.chassis import restoring
from services.chassis.database import Database
from services.chassis.settings import Settings


async def run(settings: Settings) -> None:
    database = await Database.open(settings)
    try:
        since = await restoring.last_known(database)
    finally:
        await database.close()
    await restoring.hear_again(settings, since, main=(BOOKING_EVENTS, POLAR_WEBHOOKS), projections=(USER_PROFILES,))
