"""`python -m services.notifications restored`: profiles are heard again, bookings are not, since their mails have been sent."""

from __future__ import annotations

from courtside_contracts.topics import USER_PROFILES
from services.chassis import restoring
from services.chassis.database import Database
from services.chassis.settings import Settings


async def run(settings: Settings) -> None:
    database = await Database.open(settings)
    try:
        since = await restoring.last_known(database)
    finally:
        await database.close()
    await restoring.hear_again(settings, since, projections=(USER_PROFILES,))
