"""A record that waits on a tier: never early, never lost, and handled once, whatever happens to the workers meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from courtside_contracts.topics import BOOKING_EVENTS
from services.chassis.retrying import Transient
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Bench, Called, Noted, until

pytestmark = pytest.mark.slow

STORM_SECONDS, TURN_SECONDS, STILL_SECONDS = 60.0, 2.0, 30.0


def tier(bench: Bench, name: str) -> str:
    return f"{bench.settings.topic_prefix}payments.retry.{name}"


def appended(records: list[ConsumerRecord[bytes, bytes]]) -> dict[bytes, float]:
    """When the broker put each there, by its key."""
    return {record.key or b"": record.timestamp / 1000 for record in records}


class Clocked:
    """Notes when each event was handled after its first failures, by the clock that the broker of this machine has too."""

    def __init__(self, bench: Bench) -> None:
        self.at: dict[bytes, float] = {}
        self.note = bench.note
        bench.note = self  # type: ignore[method-assign]

    async def __call__(self, work: UnitOfWork, event: Noted) -> None:
        now = time.time()
        await self.note(work, event)
        self.at[event.name.encode()] = now


async def test_no_record_is_handled_before_it_has_lain_there_for_its_time(bench: Bench) -> None:
    clocked, delay = Clocked(bench), timedelta(seconds=1)
    events = [Noted(name=f"n{number}", number=number, fails="at first") for number in range(24)]
    async with bench.working():
        for event in events:
            await bench.publish(event, partition=event.number % BOOKING_EVENTS.partitions)
        await bench.until_effects(len(events))
        waited = appended(await bench.read(tier(bench, "5s"), len(events)))
    assert waited.keys() == clocked.at.keys()
    assert all(clocked.at[key] >= at + delay.total_seconds() for key, at in waited.items())


async def test_what_waits_outlives_its_worker(bench: Bench) -> None:
    bench.settings.retry_delays = (timedelta(seconds=3),) * 4
    clocked = Clocked(bench)
    async with bench.working():
        await bench.publish(Noted(name="a", number=1, fails="at first"))
        await bench.until_committed()
        waited = appended(await bench.read(tier(bench, "5s"), 1))
    async with bench.working():
        await bench.until_effects(1)
    assert clocked.at[b"a"] >= waited[b"a"] + 3
    assert await bench.effects() == [("a", 1)]
    assert await bench.count(tier(bench, "5s")) == 1


async def test_what_the_provider_asks_for_is_waited_at_least(bench: Bench) -> None:
    """`Retry-After: 2` goes past the first tier, where it would wait for one second."""
    note = bench.note

    async def limited(work: UnitOfWork, event: Noted) -> None:
        if bench.tries.count((event.name, event.number)) == 0:
            bench.tries.append((event.name, event.number))
            raise Transient("429", retry_after=timedelta(seconds=2))
        await note(work, event)

    bench.note = limited  # type: ignore[method-assign]
    clocked = Clocked(bench)
    async with bench.working():
        await bench.publish(Called(name="a", number=1))
        await bench.until_effects(1)
        waited = appended(await bench.read(tier(bench, "1m"), 1))
    assert clocked.at[b"a"] >= waited[b"a"] + 2
    assert await bench.count(tier(bench, "5s")) == 0


async def test_a_worker_that_is_told_to_stop_ends_its_batch_and_commits_it(bench: Bench) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    note = bench.note

    async def held(work: UnitOfWork, event: Noted) -> None:
        begun.set()
        await may_end.wait()
        await note(work, event)

    bench.note = held  # type: ignore[method-assign]
    events = [Noted(name="a", number=number) for number in range(5)]
    await bench.publish(*events)
    async with bench.working() as worker:
        await begun.wait()
        worker.stopping.set()
        await bench.publish(Noted(name="a", number=5))
        may_end.set()
    done = await bench.effects()
    assert done[:1] == [("a", 0)]
    assert await bench.committed(TopicPartition(bench.topic, 0)) == len(done)
    async with bench.working():
        await bench.until_committed()
    assert bench.tries == [("a", number) for number in range(6)], "nothing was begun twice"


@pytest.mark.slow
async def test_partitions_change_hands_between_batches_not_within_one(bench: Bench) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()
    note = bench.note

    async def held(work: UnitOfWork, event: Noted) -> None:
        begun.set()
        await may_end.wait()
        await note(work, event)

    bench.note = held  # type: ignore[method-assign]
    for partition in range(BOOKING_EVENTS.partitions):
        await bench.publish(*(Noted(name=f"p{partition}", number=number) for number in range(8)), partition=partition)
    async with AsyncExitStack() as members:
        await members.enter_async_context(bench.working())
        await begun.wait()
        await members.enter_async_context(bench.working())
        may_end.set()
        for partition in range(BOOKING_EVENTS.partitions):
            await bench.until_committed(partition)
    assert set(Counter(bench.tries).values()) == {1}, "no record was begun by both"
    assert len(await bench.effects()) == 8 * BOOKING_EVENTS.partitions


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_members_that_come_and_go_never_stop_the_others_for_long(bench: Bench) -> None:
    published: list[Noted] = []
    ended = asyncio.Event()

    async def load() -> None:
        while not ended.is_set():
            number = len(published)
            kind = Called if number % 2 else Noted
            event = kind(name=f"k{number % 20}", number=number, fails="at first" if number % 10 == 0 else "")
            published.append(event)
            await bench.publish(event, partition=number % BOOKING_EVENTS.partitions)
            await asyncio.sleep(0.02)

    async with bench.working():
        loading = asyncio.create_task(load())
        pauses = asyncio.create_task(longest_pause(bench, ended))
        await come_and_go(bench)
        ended.set()
        await loading
        await until("all effects", bench.effects, lambda seen: len(seen) >= len(published))
    assert Counter(await bench.effects()) == {(event.name, event.number): 1 for event in published}
    assert await pauses < STILL_SECONDS
    assert await bench.count(bench.dead_letters) == 0


async def come_and_go(bench: Bench) -> None:
    over = time.monotonic() + STORM_SECONDS
    while time.monotonic() < over:
        async with bench.working() as member:
            await asyncio.wait([member.task], timeout=TURN_SECONDS)
            assert not member.task.done()


async def longest_pause(bench: Bench, ended: asyncio.Event) -> float:
    """Seconds between two effects, while there was always something to do."""
    seen, longest, last = 0, 0.0, time.monotonic()
    while not ended.is_set():
        found, now = len(await bench.effects()), time.monotonic()
        if found > seen:
            seen, longest, last = found, max(longest, now - last), now
        await asyncio.sleep(0.1)
    return max(longest, time.monotonic() - last)
