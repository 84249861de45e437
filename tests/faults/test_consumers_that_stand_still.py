"""A worker stands still in the middle of a record, for longer than its group waits: another does the work, and it is done once."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from courtside_contracts.topics import BOOKING_EVENTS
from services.chassis import subscribing
from services.chassis.consuming import Delivery
from tests.integration.chassis.conftest import GIVE_UP_SECONDS, Bench, Called, Noted, until
from tests.integration.chassis.test_whole_processes import Process, Yard

pytestmark = pytest.mark.slow

MAX_POLL_MS = 2_000
STALL_SECONDS = 60.0
"""A member that is killed keeps its partitions for ten seconds, and that is no stall of the others."""
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%inbox%'
"""


@contextmanager
def asleep(process: Process) -> Iterator[None]:
    process.child.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.child.send_signal(signal.SIGCONT)


def one_each(number: int) -> list[tuple[Noted, int]]:
    """An event for each partition, so that every member of the group has something to do."""
    return [(Noted(name=f"p{partition}", number=number), partition) for partition in range(BOOKING_EVENTS.partitions)]


async def yard_of(bench: Bench, folder: Path) -> Yard:
    await bench.at_newest_revision()
    return Yard(bench, folder)


async def all_are_done(bench: Bench, number: int) -> None:
    events = one_each(number)
    for event, partition in events:
        await bench.publish(event, partition=partition)
    for event, _ in events:
        await bench.until((event.name, event.number))


async def test_a_call_whose_process_sleeps_is_made_by_another_and_noted_once(bench: Bench, tmp_path: Path) -> None:
    """SIGSTOP until the group has given its records to somebody else, and SIGCONT: it comes too late, and does nothing."""
    yard = await yard_of(bench, tmp_path)
    await bench.publish(Called(name="held", number=1))
    with yard.process(stall_seconds=STALL_SECONDS) as sleeper:
        await yard.until_begun()
        with asleep(sleeper):
            yard.signs.begun.unlink()
            with yard.process(stall_seconds=STALL_SECONDS):
                await yard.until_begun()
                yard.signs.may_end.touch()
                await bench.until(("held", 1))
                sleeper.child.send_signal(signal.SIGCONT)
                await all_are_done(bench, 1)
                assert sleeper.child.poll() is None, "it goes on"
    found = Counter(await bench.effects())
    assert found == {("held", 1): 1} | {(event.name, 1): 1 for event, _ in one_each(1)}
    assert await bench.count(bench.dead_letters) == 0


async def test_a_transaction_whose_process_sleeps_keeps_others_from_doing_it_twice(
    bench: Bench, tmp_path: Path
) -> None:
    """The sleeper's inbox row is not committed: whoever reads the same record waits for it, and then has nothing to do."""
    yard = await yard_of(bench, tmp_path)
    await bench.publish(Noted(name="held", number=1))
    with yard.process(stall_seconds=STALL_SECONDS) as sleeper:
        await yard.until_begun()
        with asleep(sleeper), yard.process(stall_seconds=STALL_SECONDS):
            await until("another that waits", lambda: bench_asks(bench, WAITING), bool)
            yard.signs.may_end.touch()
            sleeper.child.send_signal(signal.SIGCONT)
            await bench.until(("held", 1))
            await all_are_done(bench, 1)
            assert sleeper.child.poll() is None, "it goes on"
    found = Counter(await bench.effects())
    assert found[("held", 1)] == 1
    assert set(found.values()) == {1}
    assert await bench.count(bench.dead_letters) == 0


async def bench_asks(bench: Bench, query: str) -> int:
    return int(await bench.database.pool.fetchval(query))


@dataclass
class SlowCall:
    """A provider that is slow until it is told not to be any more."""

    bench: Bench
    begun: list[tuple[str, int]] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, delivery: Delivery[Called]) -> None:
        self.begun.append((delivery.event.name, delivery.event.number))
        await self.may_end.wait()
        async with delivery.once() as work:
            await self.bench.note(work, delivery.event)

    async def times(self) -> int:
        return len(self.begun)


async def test_a_call_longer_than_the_group_waits_is_taken_over_and_noted_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`max_poll_interval_ms`, which is five minutes, is two seconds here."""
    monkeypatch.setitem(subscribing.CONSUMER, "max_poll_interval_ms", MAX_POLL_MS)
    slow = SlowCall(bench)
    monkeypatch.setattr(bench, "call", slow)
    async with AsyncExitStack() as members:
        workers = [await members.enter_async_context(bench.working()) for _ in range(2)]
        await bench.publish(Called(name="slow", number=1))
        await until("the same call by another", slow.times, lambda times: times >= 2, GIVE_UP_SECONDS)
        slow.may_end.set()
        await bench.until(("slow", 1))
        await bench.until_committed()
        await all_are_done(bench, 1)
        assert not any(worker.task.done() for worker in workers)
    found = Counter(await bench.effects())
    assert set(found.values()) == {1}
    assert await bench.count(bench.dead_letters) == 0
