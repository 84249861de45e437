"""A record that kills its process raises nothing and tells nobody: it is counted before it is handled."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from uuid import uuid4

import pytest
from sqlalchemy import insert, text

from services.chassis.attempts import STARTS, TOGETHER, delivery_attempts
from services.chassis.database import NoDatabase
from services.chassis.retrying import Overtaken, first_headers
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import SOON, Bench, Noted
from tests.integration.chassis.deadly_worker import DEADLY_EXIT
from tests.programs import REPOSITORY

pytestmark = pytest.mark.slow


async def start(bench: Bench) -> asyncio.subprocess.Process:
    settings = bench.settings
    told = {
        "TEST_WORKER_DATABASE_URL": settings.database_url.get_secret_value(),
        "TEST_WORKER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "TEST_WORKER_TOPIC_PREFIX": settings.topic_prefix,
    }
    module = ("-m", "tests.integration.chassis.deadly_worker")
    return await asyncio.create_subprocess_exec(sys.executable, *module, env=os.environ | told, cwd=REPOSITORY)


async def lived_through_by(bench: Bench, processes: int) -> None:
    """So many processes before began the first batch of the topic, and died in it."""
    died = {"topic": bench.topic, "partition": 0, "offset": 0, "alone": False, "process": uuid4(), "starts": processes}
    async with bench.database.engine.begin() as connection:
        await connection.execute(insert(delivery_attempts).values(died))


async def begun(bench: Bench) -> list[tuple[int, bool, int]]:
    async with bench.database.engine.connect() as connection:
        rows = await connection.execute(text('SELECT "offset", alone, starts FROM delivery_attempts ORDER BY 1, 2'))
        return [(row.offset, row.alone, row.starts) for row in rows]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_record_that_kills_the_process_is_dead_after_five_starts(bench: Bench) -> None:
    before = [Noted(name="before", number=number) for number in range(3)]
    after = [Noted(name="after", number=number) for number in range(3)]
    await bench.publish(*before, Noted(name="deadly", number=0), *after)
    for _ in range(STARTS):
        worker = await start(bench)
        assert await worker.wait() == DEADLY_EXIT
    worker = await start(bench)
    try:
        (dead,) = await bench.read(bench.dead_letters, 1)
        await bench.until_committed()
    finally:
        worker.send_signal(signal.SIGTERM)
        assert await worker.wait() == 0
    assert first_headers(dead.headers)["x-error-class"] == b"CrashLoop"
    assert dead.value == Noted(name="deadly", number=0).value()
    assert Counter(await bench.effects()) == {(event.name, event.number): 1 for event in (*before, *after)}
    assert await begun(bench) == [], "what has ended leaves nothing behind"


async def test_a_batch_that_one_process_repeats_is_no_crash(bench: Bench) -> None:
    """The database was away for a while: the record is not to blame."""
    note, seen = bench.note, list[list[tuple[int, bool, int]]]()

    async def away_at_first(work: UnitOfWork, event: Noted) -> None:
        if len(seen) < STARTS:
            seen.append(await begun(bench))
            raise NoDatabase("for now")
        await note(work, event)

    bench.note = away_at_first  # type: ignore[method-assign]
    async with bench.working():
        await bench.publish(Noted(name="a", number=1))
        await bench.until_committed()
    assert seen == [[(0, False, 1)]] * STARTS
    assert await bench.effects() == [("a", 1)]


async def test_healthy_traffic_writes_down_nothing_after_the_first_batch(bench: Bench) -> None:
    note, seen = bench.note, list[list[tuple[int, bool, int]]]()

    async def look(work: UnitOfWork, event: Noted) -> None:
        seen.append(await begun(bench))
        await note(work, event)

    bench.note = look  # type: ignore[method-assign]
    async with bench.working():
        for number in range(3):
            await bench.publish(Noted(name="a", number=number))
            await bench.until_committed()
    assert seen == [[(0, False, 1)], [], []]


async def test_one_death_makes_nobody_careful(bench: Bench) -> None:
    """Most have nothing to do with what was read: the batch is handled in one transaction, as ever."""
    note, seen = bench.note, list[list[tuple[int, bool, int]]]()

    async def look(work: UnitOfWork, event: Noted) -> None:
        seen.append(await begun(bench))
        await note(work, event)

    bench.note = look  # type: ignore[method-assign]
    await lived_through_by(bench, TOGETHER - 1)
    await bench.publish(Noted(name="a", number=1), Noted(name="b", number=2))
    async with bench.working():
        await bench.until_committed()
    assert seen == [[(0, False, TOGETHER)]] * 2


async def test_who_goes_carefully_waits_for_nothing_that_was_overtaken(bench: Bench) -> None:
    """A batch of projections, which has what it needs, may wait for its turn: it is routed on, and the next record is handled."""
    note, early = bench.note, Noted(name="early", number=1)
    tries = Counter[str]()

    async def at_its_third_try(work: UnitOfWork, event: Noted) -> None:
        tries[event.name] += 1
        if event.name == early.name and tries[event.name] < SOON:
            raise Overtaken("no profile yet")
        await note(work, event)

    bench.note = at_its_third_try  # type: ignore[method-assign]
    await lived_through_by(bench, TOGETHER)
    await bench.publish(early, Noted(name="other", number=2))
    async with bench.working():
        (waiting,) = await bench.read(f"{bench.settings.topic_prefix}payments.retry.5s", 1)
        await bench.until_effects(2)
    assert waiting.value == early.value()
    assert await bench.effects() == [("other", 2), ("early", 1)]
    assert tries == {"early": SOON, "other": 1}
