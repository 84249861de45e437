"""Commits one event after the other at a steady rate, as an api process does: one statement, then a ring for the relay.

`python -m tests.bench.log.writer`, with booking's environment. Told `RATE EVENTS`, it answers with the moment at which the answer to each
COMMIT was there, by the event's id: JSON, in seconds of the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

import orjson
import uvloop

from services.booking.settings import BookingSettings
from services.chassis.database import Database
from services.chassis.doorbell import Doorbell
from services.chassis.outbox import Outgoing
from tests.bench.log.outboxes import HEADERS, HELD

INSERT = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, headers, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
"""


async def main() -> None:
    settings = BookingSettings()
    database, doorbell = await Database.open(settings), Doorbell(settings.database_url.get_secret_value())
    ringing = asyncio.create_task(doorbell.run())
    await database.fetch("SELECT 1")
    print("ready", flush=True)  # noqa: T201
    while told := await asyncio.to_thread(sys.stdin.readline):
        rate, events = told.split()
        committed = await write(database, doorbell, float(rate), int(events))
        print(orjson.dumps(committed).decode(), flush=True)  # noqa: T201
    ringing.cancel()
    await database.close()


async def write(database: Database, doorbell: Doorbell, rate: float, events: int) -> dict[str, float]:
    committed: dict[str, float] = {}

    async def commit() -> None:
        event = Outgoing.of(HELD, datetime.now(UTC))
        row = event.row() | {"aggregateid": str(event.id), "headers": HEADERS}
        await database.fetch(INSERT, *row.values())
        committed[str(event.id)] = time.monotonic()
        doorbell.ring()

    began = time.monotonic()
    commits = []
    for number in range(events):
        await asyncio.sleep(began + number / rate - time.monotonic())
        commits.append(asyncio.create_task(commit()))
    await asyncio.gather(*commits)
    return committed


if __name__ == "__main__":
    uvloop.run(main())
