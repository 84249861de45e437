"""A job of the clock that calls a provider: one worker runs it each time, and none holds up its process's end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import ClassVar

import pytest
from pydantic import SecretStr

from services.chassis import crons
from services.chassis.clock import DatabaseClock
from services.chassis.crons import Cron, Errand
from services.chassis.database import CHASSIS, Database
from services.chassis.settings import Settings
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

GIVE_UP_SECONDS = 60


class ClockSettings(Settings):
    service: ClassVar[str] = "payments"


@pytest.fixture(scope="module")
async def unit_of_work(new_database: Callable[[str], Awaitable[str]]) -> AsyncIterator[UnitOfWorkFactory]:
    database = await Database.open(ClockSettings(database_url=SecretStr(await new_database("payments"))))
    async with database.engine.begin() as connection:
        for metadata in (crons.METADATA, CHASSIS):
            await connection.run_sync(metadata.create_all)
    yield UnitOfWorkFactory(database, DatabaseClock(), lambda: None)
    await database.close()


async def test_of_many_workers_one_runs_it_and_all_look_afterwards(unit_of_work: UnitOfWorkFactory) -> None:
    ran: list[str] = []

    async def run() -> int:
        ran.append("run")
        return 3

    async def look() -> None:
        ran.append("look")

    errand = Errand("once", timedelta(hours=1), run, look)
    assert sorted(await asyncio.gather(*(errand.fire(unit_of_work) for _ in range(4)))) == [0, 0, 0, 3]
    assert (ran.count("run"), ran.count("look")) == (1, 4)


async def test_a_cron_that_may_not_fire_yet_leaves_its_mark_to_a_later_one(unit_of_work: UnitOfWorkFactory) -> None:
    ran: list[str] = []
    answers = iter((False, True, True))

    async def may_fire() -> bool:
        return next(answers)

    async def run(_: UnitOfWork) -> int:
        ran.append("run")
        return 1

    cron = Cron("when all was heard", timedelta(hours=1), 100, run, may_fire)
    assert [await cron.fire(unit_of_work) for _ in range(3)] == [0, 1, 0]
    assert ran == ["run"]


async def test_one_that_failed_is_run_again_at_its_next_time(unit_of_work: UnitOfWorkFactory) -> None:
    tries: list[int] = []
    done, stopping = asyncio.Event(), asyncio.Event()

    async def run() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise TimeoutError
        done.set()
        return 1

    keeping = asyncio.create_task(Errand("again", timedelta(milliseconds=20), run).keep(unit_of_work, stopping))
    await asyncio.wait_for(done.wait(), GIVE_UP_SECONDS)
    stopping.set()
    await asyncio.wait_for(keeping, GIVE_UP_SECONDS)
    assert len(tries) >= 2


async def test_one_that_would_go_on_for_hours_ends_with_its_process(unit_of_work: UnitOfWorkFactory) -> None:
    running, stopping = asyncio.Event(), asyncio.Event()

    async def run() -> int:
        running.set()
        await asyncio.Event().wait()
        return 0

    keeping = asyncio.create_task(Errand("for ever", timedelta(hours=1), run).keep(unit_of_work, stopping))
    await asyncio.wait_for(running.wait(), GIVE_UP_SECONDS)
    stopping.set()
    await asyncio.wait_for(keeping, GIVE_UP_SECONDS)
