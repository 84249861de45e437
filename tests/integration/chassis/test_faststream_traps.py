"""Eight ways in which a FastStream subscriber over Kafka loses or repeats records, and that ours do not: by committed offsets.

What the traps are and where they were found: `docs/decisions/0003-batch-subscribers.md`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope
from services.chassis.database import NoDatabase
from services.chassis.unit_of_work import UnitOfWork
from services.chassis.working import consume
from tests.integration.chassis.conftest import Bench, Called, Noted, Worker
from tests.integration.chassis.test_poison import without

pytestmark = pytest.mark.slow

AUTO_COMMIT_SECONDS = 5.0
"""How often aiokafka commits by itself, if it is allowed to."""


class Held:
    """A handler that does not end before it is told to."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.begun, self.may_end = bench, asyncio.Event(), asyncio.Event()
        self.note = bench.note
        bench.note = self  # type: ignore[method-assign]

    async def __call__(self, work: UnitOfWork, event: Noted) -> None:
        self.begun.set()
        await self.may_end.wait()
        await self.note(work, event)


async def test_1_a_success_never_commits_past_a_failure_before_it(bench: Bench) -> None:
    """A message that raised without an acknowledgement is lost by the acknowledgement of the next."""
    note = bench.note

    async def away_at_first(work: UnitOfWork, event: Noted) -> None:
        if event.name == "first" and len(seen) < 3:
            seen.append(await bench.committed(TopicPartition(bench.topic, 0)))
            raise NoDatabase("for now")
        await note(work, event)

    seen: list[int | None] = []
    bench.note = away_at_first  # type: ignore[method-assign]
    async with bench.working():
        await bench.publish(Noted(name="first", number=1))
        await bench.publish(*(Noted(name="later", number=number) for number in range(5)))
        await bench.until_committed()
    assert seen == [None, None, None], "nothing is committed while the first one fails"
    assert Counter(await bench.effects()) == {("first", 1): 1, **{("later", number): 1 for number in range(5)}}


@pytest.mark.parametrize("value", [b"\xff\xfe", None])
async def test_2_a_header_that_is_not_utf8_costs_no_record_of_its_batch(bench: Bench, value: Any) -> None:
    """The parser raises, the handler never runs, and the next commit passes over the batch."""
    strange = [*without("ce_id"), ("ce_id", b"strange"), ("x-strange", value)]
    await bench.publish(Noted(name="a", number=1))
    await bench.send(Noted(name="a", number=2).value(), strange, key=b"a")
    await bench.publish(Noted(name="a", number=3))
    async with bench.working():
        await bench.until_committed()
    assert await bench.effects() == [("a", 1), ("a", 2), ("a", 3)]


async def test_3_a_record_that_no_handler_wants_is_committed_and_does_not_come_again(bench: Bench) -> None:
    """`SubscriberNotFound`: passed over without a trace, or delivered for ever."""
    unwanted = [*without("ce_type"), ("ce_type", b"court.repainted.v1")]
    async with bench.working():
        await bench.send(b"{}", unwanted)
        await bench.until_committed()
        await bench.publish(Noted(name="a", number=1))
        await bench.until_committed()
    assert (await bench.effects(), bench.tries) == ([("a", 1)], [("a", 1)])


@pytest.mark.slow
async def test_4_a_record_in_hand_is_never_committed_by_the_clock(bench: Bench) -> None:
    """A subscriber that states no policy acknowledges first, every five seconds."""
    held = Held(bench)
    async with bench.working() as worker:
        await bench.publish(Noted(name="a", number=1))
        await held.begun.wait()
        await asyncio.wait([worker.task], timeout=2 * AUTO_COMMIT_SECONDS)
        assert await bench.committed(TopicPartition(bench.topic, 0)) is None
        held.may_end.set()
        await bench.until_committed()
    assert await bench.effects() == [("a", 1)]


async def test_5_no_record_waits_in_a_queue_behind_a_committed_offset(bench: Bench) -> None:
    """With workers beside each other, up to that many records are committed before they are begun."""
    held = Held(bench)
    await bench.publish(*(Noted(name="a", number=number) for number in range(40)))
    async with bench.working():
        await held.begun.wait()
        assert await bench.committed(TopicPartition(bench.topic, 0)) is None
        held.may_end.set()
        await bench.until_committed()
    assert await bench.effects() == [("a", number) for number in range(40)]


async def test_6_two_records_at_one_offset_and_instant_are_two(bench: Bench) -> None:
    """FastStream's `message_id` is offset and timestamp: the same in each partition."""
    for partition in range(6):
        event = Noted(name="a", number=partition)
        attributes = Envelope(str(uuid7()), event.type, event.source, datetime.now(UTC), event.key)
        headers = list(attributes.headers())
        place = {"partition": partition, "timestamp_ms": 1_764_331_200_000}
        await (await bench.producer.send(bench.topic, event.value(), key=b"a", headers=headers, **place))
    async with bench.working():
        for partition in range(6):
            await bench.until_committed(partition)
    assert Counter(await bench.effects()) == {("a", partition): 1 for partition in range(6)}


async def test_7_a_group_that_is_new_begins_at_the_beginning(bench: Bench) -> None:
    """The default is `latest`: what was said before is never heard."""
    await bench.publish(Noted(name="early", number=1), Called(name="early", number=2))
    assert await bench.committed(TopicPartition(bench.topic, 0)) is None
    async with bench.working():
        await bench.until_committed()
    assert sorted(await bench.effects()) == [("early", 1), ("early", 2)]


async def test_8_a_topic_that_is_missing_is_not_made_in_passing(bench: Bench) -> None:
    """FastStream makes it, with one partition and one replica."""
    known = bench.settings.topic_prefix
    bench.settings.topic_prefix = f"missing.{known}"
    worker = Worker()
    events = worker.stopping, worker.started, worker.stalled
    working = asyncio.create_task(consume(bench.settings, bench.consumers, bench.unit_of_work, *events))
    ended, _ = await asyncio.wait([working], timeout=AUTO_COMMIT_SECONDS)
    working.cancel()
    await asyncio.wait([working])
    assert not ended, "it waits for its topics"
    assert not worker.started.is_set()
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap)
    await admin.start()
    try:
        topics = await admin.list_topics()
    finally:
        await admin.close()
    assert not [topic for topic in topics if topic.startswith("missing.")]
    assert f"{known}booking.events" in topics
