"""The broker is away for longer than any client of it is patient: every limit of theirs, shortened, is crossed several times over."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.chassis import sending
from tests.integration.chassis.conftest import Bench, Noted
from tests.integration.chassis.test_relay import relaying
from tests.integration.chassis.test_relay_processes import silent_broker
from tests.stack import TestStack

pytestmark = pytest.mark.slow

CLIENT = {"request_timeout_ms": 4_000, "metadata_max_age_ms": 1_000, "connections_max_idle_ms": 3_000}
"""40 s, 5 min and 9 min otherwise: the library's own."""
MEMBER = {"session_timeout_ms": 6_000, "rebalance_timeout_ms": 6_000, "max_poll_interval_ms": 6_000}
"""10 s, 30 s and 5 min otherwise (`subscribing.CONSUMER`); the broker allows no shorter session.
What the watchdog does meanwhile: `test_watching.py`.
"""
OUTAGE_SECONDS = 3 * max(*CLIENT.values(), *MEMBER.values()) / 1000


@pytest.fixture
def impatient(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    def shortened(made: Callable[..., None], limits: dict[str, int]) -> Callable[..., None]:
        @wraps(made)
        def make(client: Any, *arguments: Any, **told: Any) -> None:
            ours = str(told.get("client_id", "")).startswith(bench.settings.service)
            made(client, *arguments, **told | (limits if ours else {}))

        return make

    monkeypatch.setattr(AIOKafkaConsumer, "__init__", shortened(AIOKafkaConsumer.__init__, CLIENT | MEMBER))
    monkeypatch.setattr(AIOKafkaProducer, "__init__", shortened(AIOKafkaProducer.__init__, CLIENT))
    monkeypatch.setattr(sending, "ANSWER_MS", CLIENT["request_timeout_ms"])
    return bench


@asynccontextmanager
async def killed(stack: TestStack) -> AsyncIterator[None]:
    await stack.kill("kafka")
    try:
        yield
    finally:
        await stack.start_kafka()


@asynccontextmanager
async def silent(stack: TestStack) -> AsyncIterator[None]:
    with silent_broker(stack):
        yield


async def tell(bench: Bench, *numbers: int, fails: str = "") -> None:
    async with bench.unit_of_work() as work:
        for number in numbers:
            work.publish(Noted(name="court", number=number, fails=fails))


@pytest.mark.parametrize("away", [killed, silent])
async def test_an_outage_that_outlasts_every_patience_loses_nothing_and_repeats_nothing(
    impatient: Bench, stack: TestStack, away: Callable[[TestStack], Any]
) -> None:
    """What is told before, what waits on a retry tier, and what is told meanwhile: each has its effect once, and no process ended."""
    bench = impatient
    async with bench.working() as worker, relaying(bench) as relay:
        await tell(bench, 1)
        await bench.until(("court", 1))
        await tell(bench, 2, fails="at first")
        await bench.until_committed()
        async with away(stack):
            await tell(bench, 3, 4)
            ended, _ = await asyncio.wait([worker.task, relay], timeout=OUTAGE_SECONDS)
            assert not ended
            await tell(bench, 5)
        assert Counter(await bench.until_effects(5)) == {("court", number): 1 for number in range(1, 6)}
        await tell(bench, 6)
        await bench.until(("court", 6))
        assert not worker.task.done()
        assert not worker.stalled.is_set()
        assert not relay.done()
    assert Counter(await bench.effects()) == {("court", number): 1 for number in range(1, 7)}
    assert await bench.count(bench.dead_letters) == 0
