"""How far Kafka is behind the outbox, as every process tells it: apart from the relay, since it must grow while the relay waits."""

from __future__ import annotations

import asyncio

import asyncpg
import structlog
from prometheus_client import Gauge

from services.chassis.database import Database, NoDatabase

log = structlog.get_logger()

MEASURE_SECONDS = 2.0

OLDEST_AGE = Gauge("courtside_outbox_oldest_age_seconds", "Age of the oldest event that is not on Kafka yet")
WAITING = Gauge(
    "courtside_outbox_waiting_events", "Events that are not on Kafka yet, at most: gaps in their numbers count"
)

# Both ends of one index. Counting would read each of a million rows, and most eagerly when there are most of them.
LAG = """
SELECT extract(epoch FROM clock_timestamp() - created_at) AS age, (SELECT max(seq) FROM outbox) - seq + 1 AS waiting
FROM outbox ORDER BY seq LIMIT 1
"""


async def measure_lag(database: Database) -> None:
    """Keep both gauges, in an API too: also when no worker is left, somebody must see it."""
    while True:
        try:
            rows = await database.fetch(LAG)
        except (NoDatabase, asyncpg.PostgresError):
            log.warning("the lag of the outbox is not known")
        else:
            OLDEST_AGE.set(max(0.0, float(rows[0]["age"])) if rows else 0.0)
            WAITING.set(rows[0]["waiting"] if rows else 0)
        await asyncio.sleep(MEASURE_SECONDS)
