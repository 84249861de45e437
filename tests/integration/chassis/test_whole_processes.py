"""A whole process, from its start to its exit code: told to stop while it works, and standing still without an error."""

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

import httpx
import pytest
from aiokafka import TopicPartition

from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Called, Known, Noted, until
from tests.integration.chassis.steered import Signs
from tests.ports import free_port
from tests.programs import REPOSITORY

pytestmark = pytest.mark.slow

GRACE_SECONDS = 60.0
"""More than a batch needs on a machine that has other things to do."""
HARDLY_ANY_SECONDS = 0.5
STALL_SECONDS = 3.0


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
def yard(bench: Bench, tmp_path: Path) -> Yard:
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
