"""A consumer that makes no progress while there is work ends its process; one that merely waits does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from courtside_contracts.topics import USER_PROFILES
from services.chassis import working
from services.chassis.consuming import Delivery
from services.chassis.subscribing import Subscription
from services.chassis.watching import ConsumerStalled
from tests.integration.chassis.conftest import Bench, Called, Known, Noted, until
from tests.stack import TestStack

LIMIT_SECONDS = 2.0
LONG_SECONDS = 4 * LIMIT_SECONDS
"""So long that a watchdog which took waiting for a stall would have bitten."""


@pytest.fixture
def hasty(bench: Bench) -> Bench:
    bench.settings.stall_seconds = LIMIT_SECONDS
    return bench


@pytest.fixture
def subscriptions(monkeypatch: pytest.MonkeyPatch) -> list[Subscription]:
    made: list[Subscription] = []

    class Kept(Subscription):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            made.append(self)

    monkeypatch.setattr(working, "Subscription", Kept)
    return made


async def lose_the_loop(subscription: Subscription) -> None:
    for task in subscription.subscriber.tasks:
        task.cancel()


async def lose_the_fetcher(subscription: Subscription) -> None:
    consumer: Any = subscription.consumer
    consumer._fetcher._fetch_task.cancel()


async def leave_the_group(subscription: Subscription) -> None:
    """As aiokafka does when its coordination ends: it goes on polling, and never joins again."""
    consumer: Any = subscription.consumer
    coordinator = consumer._coordinator
    await coordinator._maybe_leave_group()
    await coordinator._stop_heartbeat_task()
    coordinator._coordination_task.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("fault", [lose_the_loop, lose_the_fetcher, leave_the_group])
async def test_a_consumer_that_takes_nothing_up_ends_its_process(
    hasty: Bench, subscriptions: list[Subscription], fault: Callable[[Subscription], Any]
) -> None:
    with pytest.raises(ConsumerStalled, match="records wait"):
        await work_with(fault, hasty, subscriptions)


async def work_with(fault: Callable[[Subscription], Any], hasty: Bench, subscriptions: Sequence[Subscription]) -> None:
    async with hasty.working() as worker:
        await hasty.publish(Noted(name="a", number=1))
        await hasty.until_committed()
        await fault(subscriptions[0])
        await hasty.publish(*(Noted(name="a", number=number) for number in range(2, 12)))
        await asyncio.wait([worker.task])
        assert worker.stalled.is_set()


@pytest.mark.slow
async def test_waiting_for_its_time_a_long_call_and_idle_members_are_no_stall(
    hasty: Bench, subscriptions: list[Subscription]
) -> None:
    hasty.settings.retry_delays = (timedelta(seconds=2 * LONG_SECONDS), *(timedelta(seconds=60),) * 3)

    async def slow(delivery: Delivery[Called]) -> None:
        await asyncio.sleep(LONG_SECONDS)
        await Bench.call(hasty, delivery)

    hasty.call = slow  # type: ignore[method-assign]
    profiles = [hasty.settings.topic_prefix + USER_PROFILES.name]
    async with AsyncExitStack() as members:  # four, for three partitions of profiles
        workers = [await members.enter_async_context(hasty.working()) for _ in range(4)]
        await hasty.publish(Noted(name="waits", number=1, fails="always"), Called(name="slow", number=1))
        await hasty.publish(*(Known(name=f"p{number}", number=number) for number in range(9)))
        await hasty.until(("slow", 1))
        assigned = [one.consumer.assignment() for one in subscriptions if one.consumer and one.topics == profiles]
        assert sorted(map(len, assigned)) == [0, 1, 1, 1]
        assert not any(worker.task.done() or worker.stalled.is_set() for worker in workers)
        retry = hasty.settings.topic_prefix + "payments.retry.5s"
        await until("the lag", lambda: lag(retry), lambda found: found == 1)


async def lag(topic: str) -> float:
    """Of all its partitions."""
    labels = ({"group": topic, "topic": topic, "partition": str(number)} for number in range(3))
    return sum(REGISTRY.get_sample_value("courtside_consumer_lag_records", label) or 0 for label in labels)


@pytest.mark.slow
async def test_our_own_database_being_away_is_no_stall(hasty: Bench, stack: TestStack) -> None:
    name = hasty.settings.database_url.get_secret_value().rsplit("/", 1)[1]
    admin = await stack.postgres.connect()
    try:
        async with hasty.working() as worker:
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
            await hasty.publish(Noted(name="a", number=1))
            ended, _ = await asyncio.wait([worker.task], timeout=LONG_SECONDS)
            assert not ended
            await admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            assert await hasty.until_effects(1) == [("a", 1)]
    finally:
        await admin.close()


@pytest.mark.slow
async def test_the_broker_being_away_is_no_stall(hasty: Bench, stack: TestStack) -> None:
    async with hasty.working() as worker:
        await hasty.publish(Noted(name="a", number=1))
        await hasty.until_committed()
        await stack.stop("kafka")
        ended, _ = await asyncio.wait([worker.task], timeout=LONG_SECONDS)
        await stack.start_kafka()
        assert not ended
        await hasty.publish(Noted(name="a", number=2))
        assert await hasty.until_effects(2) == [("a", 1), ("a", 2)]
        assert not worker.stalled.is_set()
