"""A whole process, from its start to its exit code: started before its database is ready, told to stop while it works, and standing still
without an error.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from prometheus_client.parser import text_string_to_metric_families

from services.chassis import migrations
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Called, Known, Noted, effects, until
from tests.integration.chassis.steered import Signs
from tests.ports import free_port
from tests.programs import REPOSITORY
from tests.stack import TestStack

pytestmark = pytest.mark.slow

GRACE_SECONDS = 60.0
"""More than a batch needs on a machine that has other things to do."""
HARDLY_ANY_SECONDS = 0.5
STALL_SECONDS = 3.0
IDLE_SECONDS = 5.0
"""More than a worker that does not wait needs for its first record."""


@dataclass(frozen=True)
class Process:
    child: subprocess.Popen[bytes]
    url: str
    log: Path

    async def livez(self) -> int:
        """The status; 0 when nobody answers."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=GIVE_UP_SECONDS) as client:
                return (await client.get(f"{self.url}/livez")).status_code
        except httpx.TransportError:
            return 0

    async def checks(self) -> dict[str, Any]:
        """Of `/readyz`; none when nobody answers."""
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=GIVE_UP_SECONDS) as client:
                told = (await client.get(f"{self.url}/readyz")).json()["checks"]
                return {name: check for name, (check,) in told.items()}
        except httpx.TransportError:
            return {}

    async def has_begun(self) -> float | None:
        """As Prometheus reads it; None when it is not told."""
        async with httpx.AsyncClient(trust_env=False, timeout=GIVE_UP_SECONDS) as client:
            page = (await client.get(f"{self.url}/metrics")).text
        told = {family.name: family.samples for family in text_string_to_metric_families(page)}
        return next((sample.value for sample in told["courtside_work_begun"]), None)

    async def until_it_waits(self) -> dict[str, Any]:
        """For its database, with everything else there: what it says then."""
        await until("a word in the log", self._log, lambda said: "work waits for the database" in said)
        told: dict[str, Any] = await until(
            "a look at the topics", self.checks, lambda found: found and found["topics"]["status"] == "pass"
        )
        return told

    async def _log(self) -> str:
        return self.log.read_text()

    async def ends(self) -> int:
        """Its exit code."""
        return await asyncio.to_thread(self.child.wait, GIVE_UP_SECONDS)


@dataclass(frozen=True)
class Yard:
    """Where processes are started, on the bench's database and topics, and how they are steered."""

    bench: Bench
    folder: Path

    @property
    def signs(self) -> Signs:
        return Signs(self.folder)

    @contextmanager
    def process(
        self, *, drain_seconds: float = GRACE_SECONDS, stall_seconds: float = STALL_SECONDS
    ) -> Iterator[Process]:
        settings, port, log = self.bench.settings, free_port(), self.folder / "process.log"
        told = {
            "DATABASE_URL": settings.database_url.get_secret_value(),
            "KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TOPIC_PREFIX": settings.topic_prefix,
            "HTTP_PORT": str(port),
            "DRAIN_SECONDS": str(drain_seconds),
            "STALL_SECONDS": str(stall_seconds),
            "FOLDER": str(self.folder),
        }
        environment = os.environ | {f"TEST_WORKER_{name}": value for name, value in told.items()}
        command = [sys.executable, "-m", "tests.integration.chassis.steered", "worker"]
        with log.open("ab") as output:
            child = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)
        try:
            yield Process(child, f"http://127.0.0.1:{port}", log)
        finally:
            child.kill()
            child.wait(GIVE_UP_SECONDS)

    async def until_begun(self) -> None:
        await until("the batch begun", self._is_begun, bool)

    async def _is_begun(self) -> bool:
        return self.signs.begun.exists()


@pytest.fixture
async def yard(bench: Bench, tmp_path: Path) -> Yard:
    await bench.at_newest_revision()
    return Yard(bench, tmp_path)


BATCH = [Called(name="held", number=number) for number in range(3)]


async def test_a_process_that_is_told_to_stop_ends_its_batch_commits_it_and_leaves(bench: Bench, yard: Yard) -> None:
    await bench.publish(*BATCH)
    with yard.process() as process:
        await yard.until_begun()
        process.child.send_signal(signal.SIGTERM)
        await until("that nothing new is taken", process.livez, lambda status: status == 0)
        await bench.publish(Noted(name="later", number=1))
        assert process.child.poll() is None, "it ends its batch first"
        yard.signs.may_end.touch()
        assert await process.ends() == 0
    done = await bench.effects()
    assert done[: len(BATCH)] == [(event.name, event.number) for event in BATCH]
    assert await bench.committed(TopicPartition(bench.topic, 0)) == len(done)
    with yard.process():
        await bench.until_committed()
    assert await bench.effects() == [*((event.name, event.number) for event in BATCH), ("later", 1)]


async def test_a_process_that_cannot_end_its_batch_in_time_says_so_and_leaves_it_to_the_next(
    bench: Bench, yard: Yard
) -> None:
    await bench.publish(*BATCH)
    with yard.process(drain_seconds=HARDLY_ANY_SECONDS) as process:
        await yard.until_begun()
        process.child.send_signal(signal.SIGTERM)
        assert await process.ends() == 1
        assert "not drained in time" in process.log.read_text()
    assert await bench.effects() == []
    assert await bench.committed(TopicPartition(bench.topic, 0)) is None
    yard.signs.may_end.touch()
    with yard.process():
        await bench.until_committed()
    assert await bench.effects() == [(event.name, event.number) for event in BATCH]


async def test_a_process_whose_consumer_stands_still_is_not_live_and_ends(bench: Bench, yard: Yard) -> None:
    """What another consumer of it has begun is ended first; meanwhile `/livez` says what is coming."""
    waiting: list[Noted] = []

    async def livez_after_one_more() -> int:
        waiting.append(Noted(name="waits", number=len(waiting)))
        await bench.publish(waiting[-1])
        return await process.livez()

    with yard.process() as process:
        await bench.publish(Noted(name="sound", number=1), Known(name="held", number=1))
        await yard.until_begun()
        await bench.until(("sound", 1))
        assert await process.livez() == 200
        await bench.publish(Noted(name="stalls", number=1))
        await until("that it is not live", livez_after_one_more, lambda status: status != 200)
        assert await process.livez() == 503
        yard.signs.may_end.touch()
        assert await process.ends() == 1
        assert "ConsumerStalled" in process.log.read_text()
    with yard.process():
        await bench.until_committed()
    known = [Noted(name="sound", number=1), Known(name="held", number=1), Noted(name="stalls", number=1)]
    assert Counter(await bench.effects()) == {(event.name, event.number): 1 for event in (*known, *waiting)}


@pytest.fixture
async def behind(bench: Bench, yard: Yard) -> Yard:
    """On a database that lacks the latest migration: without it, there is no table for what the worker is told."""
    await bench.at_revision(migrations.revisions(bench.settings.service)[1])
    async with bench.database.engine.begin() as connection:
        await connection.run_sync(effects.metadata.drop_all)
    return yard


async def migrate(bench: Bench) -> None:
    async with bench.database.engine.begin() as connection:
        await connection.run_sync(effects.metadata.create_all)
    await bench.at_newest_revision()


async def test_a_worker_that_is_started_before_its_migration_takes_up_nothing_until_it_is_done(
    bench: Bench, behind: Yard
) -> None:
    newest, before, *_ = migrations.revisions(bench.settings.service)
    await bench.publish(Noted(name="early", number=1))
    with behind.process() as process:
        told = await process.until_it_waits()
        assert told["migrations"]["status"] == "fail"
        assert f"the database is at {before}, this process needs {newest}" in told["migrations"]["output"]
        await waits_on(process)
        assert (await process.livez(), await process.has_begun()) == (200, 0)
        assert await bench.committed(TopicPartition(bench.topic, 0)) is None

        await migrate(bench)
        await bench.until_committed()
        assert (await process.checks())["migrations"]["status"] == "pass"
        assert await process.has_begun() == 1
    assert await bench.effects() == [("early", 1)]
    assert await bench.count(bench.dead_letters) == 0


async def waits_on(process: Process) -> None:
    begun = asyncio.get_running_loop().time()
    while asyncio.get_running_loop().time() < begun + IDLE_SECONDS:
        assert "have not started" in (await process.checks())["consumers"]["output"]
        await asyncio.sleep(0.1)


async def test_a_worker_that_waits_for_a_migration_leaves_when_it_is_told_to(bench: Bench, behind: Yard) -> None:
    with behind.process(drain_seconds=IDLE_SECONDS) as process:
        await process.until_it_waits()
        process.child.send_signal(signal.SIGTERM)
        assert await process.ends() == 0
    assert await bench.committed(TopicPartition(bench.topic, 0)) is None


async def test_a_worker_that_is_started_while_its_database_is_away_begins_when_it_is_back(
    bench: Bench, yard: Yard, stack: TestStack
) -> None:
    await bench.publish(Noted(name="early", number=1))
    name = bench.settings.database_url.get_secret_value().rsplit("/", 1)[1]
    admin = await stack.postgres.connect()
    try:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        with yard.process() as process:
            await process.until_it_waits()
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await bench.until_committed()
    finally:
        await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        await admin.close()
    assert await bench.effects() == [("early", 1)]
    assert await bench.count(bench.dead_letters) == 0
