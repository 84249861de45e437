"""A record that waits on a tier: never early, never lost, and handled once, whatever happens to the workers meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiokafka import ConsumerRecord, TopicPartition

from courtside_contracts.topics import BOOKING_EVENTS
from services.chassis.retrying import Transient
from services.chassis.subscribing import Subscription
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Called, Noted, until

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


class HeldBatch:
    """What the first batch waits for, and which records were begun: also those that never came to their effect."""

    def __init__(self, bench: Bench) -> None:
        self.begun: list[tuple[str, int]] = []
        self.is_begun, self.may_end = asyncio.Event(), asyncio.Event()
        self.note = bench.note
        bench.note = self  # type: ignore[method-assign]

    async def __call__(self, work: UnitOfWork, event: Noted) -> None:
        self.begun.append((event.name, event.number))
        self.is_begun.set()
        await self.may_end.wait()
        await self.note(work, event)


@dataclass
class HandOver:
    """Of the main group: a member is asked to give its partitions up, and then has given them up."""

    bench: Bench
    held: HeldBatch
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    begun_and_committed: list[tuple[int, int]] = field(default_factory=list)

    async def around(self, drain: Callable[[Subscription], Awaitable[None]], subscription: Subscription) -> None:
        is_main = subscription.group == self.bench.settings.topic_prefix + self.bench.settings.service
        if is_main:
            self.asked.set()
        await drain(subscription)
        if is_main:
            self.begun_and_committed.append((len(self.held.begun), await self.committed()))

    async def committed(self) -> int:
        places = (TopicPartition(self.bench.topic, number) for number in range(BOOKING_EVENTS.partitions))
        return sum([await self.bench.committed(place) or 0 for place in places])


@pytest.fixture
def held(bench: Bench) -> HeldBatch:
    return HeldBatch(bench)


@pytest.fixture
def hand_over(bench: Bench, held: HeldBatch, monkeypatch: pytest.MonkeyPatch) -> HandOver:
    watched, drain = HandOver(bench, held), Subscription.drain
    monkeypatch.setattr(Subscription, "drain", lambda subscription: watched.around(drain, subscription))
    return watched


async def test_a_worker_that_is_told_to_stop_ends_its_batch_and_commits_it(bench: Bench, held: HeldBatch) -> None:
    events = [Noted(name="a", number=number) for number in range(5)]
    await bench.publish(*events)
    async with bench.working() as worker:
        await asyncio.wait_for(held.is_begun.wait(), GIVE_UP_SECONDS)
        worker.stopping.set()
        await bench.publish(Noted(name="a", number=5))
        held.may_end.set()
    done = await bench.effects()
    assert done[:1] == [("a", 0)]
    assert await bench.committed(TopicPartition(bench.topic, 0)) == len(done)
    async with bench.working():
        await bench.until_committed()
    assert held.begun == [("a", number) for number in range(6)], "nothing was begun twice"


async def test_partitions_change_hands_between_batches_not_within_one(
    bench: Bench, held: HeldBatch, hand_over: HandOver
) -> None:
    for partition in range(BOOKING_EVENTS.partitions):
        await bench.publish(*(Noted(name=f"p{partition}", number=number) for number in range(8)), partition=partition)
    async with AsyncExitStack() as members, asyncio.TaskGroup() as starting:
        await members.enter_async_context(bench.working())
        await asyncio.wait_for(held.is_begun.wait(), GIVE_UP_SECONDS)
        # It can only join once the first has given partitions up, and that one first ends its batch.
        joining = starting.create_task(members.enter_async_context(bench.working()))
        await asyncio.wait_for(hand_over.asked.wait(), GIVE_UP_SECONDS)
        assert not joining.done()
        held.may_end.set()
        await joining
        for partition in range(BOOKING_EVENTS.partitions):
            await bench.until_committed(partition)
    begun, committed = hand_over.begun_and_committed[0]
    assert begun == committed > 0, "what was begun is committed before another may have it"
    assert set(Counter(held.begun).values()) == {1}, "no record was begun by both"
    assert len(await bench.effects()) == 8 * BOOKING_EVENTS.partitions


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
