"""Clock in: what has ended well is marked so, a group that is redriven goes on, and what was decided long ago is removed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import structlog
from prometheus_client import Gauge

from services.chassis.crons import Cron
from services.chassis.database import Database, NoDatabase
from services.chassis.dead_letters import erasure, mutations, redriving
from services.chassis.dead_letters.domain import Desk

log = structlog.get_logger()

COUNT_SECONDS = 5.0

LETTERS = Gauge("courtside_dead_letters", "Dead letters that wait for a person (open) or for their end", ["state"])
COUNT = """
SELECT state, (SELECT count(*) FROM dead_letters WHERE dead_letters.state = named.state AND state IN ('open', 'redriven'))
FROM unnest(ARRAY['open', 'redriven']) AS named (state)
"""


def crons(desk: Desk) -> tuple[Cron, ...]:
    return (
        Cron(
            "settle dead letters",
            timedelta(seconds=1),
            mutations.SETTLE_BATCH,
            lambda work: mutations.settle(work, desk.service),
        ),
        Cron(
            "redrive dead letters", timedelta(seconds=1), redriving.BATCH, lambda work: redriving.carry_on(work, desk)
        ),
        Cron("purge dead letters", timedelta(hours=1), mutations.PURGE_BATCH, mutations.purge),
        Cron("purge erased keys", timedelta(hours=1), erasure.PURGE_BATCH, erasure.purge),
    )


async def count_letters(database: Database) -> None:
    """Keep the gauge, zeros too: an alert must see the difference between none and nobody who counts."""
    while True:
        try:
            for state, number in await database.fetch(COUNT):
                LETTERS.labels(state).set(number)
        except (NoDatabase, asyncpg.PostgresError):
            log.warning("the dead letters are not counted")
        await asyncio.sleep(COUNT_SECONDS)
