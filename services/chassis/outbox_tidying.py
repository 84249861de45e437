"""Clock in, where Debezium carries the outbox: nobody deletes rows there as they are sent, so those that Kafka has go a day later.

Which those are is decided in `deploy/debezium/prepare.sql`, beside the slot that tells.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import text

from services.chassis.crons import Cron
from services.chassis.unit_of_work import UnitOfWork

BATCH = 1_000

TIDY = text("SELECT outbox_tidy(most => :most)")


async def tidy(work: UnitOfWork) -> int:
    """One batch. How many rows were deleted."""
    return int(await work.session.scalar(TIDY, {"most": BATCH}) or 0)


CRON = Cron("tidy the outbox", timedelta(minutes=1), BATCH, tidy)
