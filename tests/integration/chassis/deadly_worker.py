"""A worker of the chassis, as a program, that dies on the spot when it meets an event named `deadly`."""

from __future__ import annotations

import asyncio
import os
import signal

from sqlalchemy import insert

from courtside_contracts.topics import BOOKING_EVENTS
from services.chassis import subscribing
from services.chassis.clock import DatabaseClock
from services.chassis.consuming import Consumers
from services.chassis.database import Database
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory
from services.chassis.working import consume
from tests.integration.chassis.conftest import Noted, WorkerSettings, effects

DEADLY_EXIT = 9
MEMBER = "the one worker"
"""A static member: the next process takes the place of the dead one at once, and need not wait until the group has forgotten it."""


async def note(work: UnitOfWork, event: Noted) -> None:
    if event.name == "deadly":
        os._exit(DEADLY_EXIT)
    await work.session.execute(insert(effects).values(key=event.name, number=event.number))


async def main() -> None:
    settings = WorkerSettings()
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    database, clock = await Database.open(settings), DatabaseClock()
    await clock.synchronise(database)
    unit_of_work = UnitOfWorkFactory(database, clock, lambda: None)
    consumers = Consumers(topics=(BOOKING_EVENTS,), in_transaction={Noted: note})
    await consume(settings, consumers, unit_of_work, stopping, asyncio.Event(), asyncio.Event())
    await database.close()


if __name__ == "__main__":
    subscribing.CONSUMER["group_instance_id"] = MEMBER
    asyncio.run(main())
