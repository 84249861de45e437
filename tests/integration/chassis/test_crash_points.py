"""A worker is killed wherever something was done and the next thing was not: nothing is lost, and nothing has its effect twice."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from courtside_contracts.envelope import Envelope
from courtside_contracts.topics import COURT_EVENTS
from services.chassis import crash_points
from tests.integration.booking.test_killed_holds import POINTS_OF_A_HOLD
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Noted, reader, until
from tests.integration.chassis.crashing import Asked, AskedToCall
from tests.integration.payments.test_storms import POINTS_OF_A_PAYMENT
from tests.ports import free_port
from tests.programs import REPOSITORY

POINTS = (
    "attempt.begun",
    "attempt.ended",
    "attempt.handled",
    "attempt.unwritten",
    "batch.handled",
    "offsets.committed",
    "record.failed",
    "record.forwarded",
    "relay.committed",
    "relay.deleted",
    "relay.read",
    "relay.sent",
    "transaction.committed",
    "transaction.written",
)
"""Those of a worker. What an API comes to in one request is killed in its service's tests."""
PASSES = (1, 2)
RETRY_SECONDS = 0.5
ROUND_SECONDS = 3.0
"""How long a worker is given to come to its point before it is told more."""
DEAD_WITHIN_ROUNDS = 30
RECOVERED_WITHIN_SECONDS = 90.0


def test_every_point_in_the_source_is_killed_here() -> None:
    sources = (REPOSITORY / "services").rglob("*.py")
    found = {name for source in sources for name in re.findall(r'\breach\("([^"]+)"\)', source.read_text())}
    assert found == {*POINTS, *POINTS_OF_A_HOLD, *POINTS_OF_A_PAYMENT}


@dataclass
class Worker:
    """Processes of `crashing.py`, one after the other, on one database and one set of topics."""

    bench: Bench
    log: Path
    rounds: int = 0
    asked: set[tuple[str, int]] = field(default_factory=set)

    @contextmanager
    def process(self, crash_at: str = "") -> Iterator[subprocess.Popen[bytes]]:
        settings = self.bench.settings
        environment = os.environ | {
            "TEST_WORKER_DATABASE_URL": settings.database_url.get_secret_value(),
            "TEST_WORKER_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TEST_WORKER_TOPIC_PREFIX": settings.topic_prefix,
            "TEST_WORKER_RETRY_DELAYS": json.dumps([RETRY_SECONDS] * 4),
            "TEST_WORKER_HTTP_PORT": str(free_port()),
            crash_points.VARIABLE: crash_at,
        }
        command = [sys.executable, "-m", "tests.integration.chassis.crashing", "worker"]
        with self.log.open("ab") as output:
            child = subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)
        try:
            yield child
        finally:
            child.kill()
            child.wait(GIVE_UP_SECONDS)

    async def ask(self) -> None:
        """Two bookings: what is said of one is handled in a shared transaction, of the other by a call. Each first now, then later."""
        self.rounds += 1
        later = datetime.now(UTC) + timedelta(seconds=RETRY_SECONDS)
        for kind, key in ((Asked, f"noted {self.rounds}"), (AskedToCall, f"called {self.rounds}")):
            at_once = kind(name=key, number=1, not_before=datetime.min.replace(tzinfo=UTC))
            await self.bench.publish(at_once, kind(name=key, number=2, not_before=later))
            self.asked |= {(key, 1), (key, 2)}

    async def is_killed_at(self, point: str, passes: int) -> None:
        with self.process(f"{point}:{passes}") as child:
            for _ in range(DEAD_WITHIN_ROUNDS):
                await self.ask()
                if await ends(child, ROUND_SECONDS):
                    break
            assert child.returncode == -signal.SIGKILL, self.log.read_text()[-3000:]

    async def recovers(self) -> None:
        with self.process():
            await until("all that was asked", self.missing, lambda left: not left, RECOVERED_WITHIN_SECONDS)

    async def missing(self) -> set[tuple[str, int]]:
        """What was asked and has no effect yet, or no event that tells of it."""
        return self.asked - (set(await self.bench.effects()) & await self.echoed())

    async def echoed(self) -> set[tuple[str, int]]:
        """What is on the topic. Copies of one event have one id: two events about one thing would be a second effect."""
        ids: dict[tuple[str, int], set[str]] = defaultdict(set)
        topic = self.bench.settings.topic_prefix + COURT_EVENTS.name
        async with reader(self.bench.settings.kafka_bootstrap, topic) as consumer:
            while batches := await consumer.getmany(timeout_ms=500):
                for record in (record for batch in batches.values() for record in batch):
                    told = Noted.model_validate_json(record.value or b"")
                    ids[told.name, told.number].add(Envelope.parse(record.headers).id)
        assert all(len(found) == 1 for found in ids.values())
        return set(ids)


async def ends(child: subprocess.Popen[bytes], within_seconds: float) -> bool:
    try:
        await asyncio.to_thread(child.wait, within_seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_worker_killed_at_any_point_loses_nothing_and_does_nothing_twice(bench: Bench, tmp_path: Path) -> None:
    await bench.at_newest_revision()
    worker = Worker(bench, tmp_path / "worker.log")
    for point in POINTS:
        for passes in PASSES:
            await worker.is_killed_at(point, passes)
    await worker.recovers()
    effects = await bench.effects()
    assert len(effects) == len(set(effects)), "each effect once"
    assert len(worker.asked) == 4 * worker.rounds >= 4 * len(POINTS) * len(PASSES)


def test_a_worker_in_production_refuses_to_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(crash_points.VARIABLE, "relay.sent")
    crash_points.refuse("test")
    with pytest.raises(crash_points.CrashAskedFor):
        crash_points.refuse("production")
