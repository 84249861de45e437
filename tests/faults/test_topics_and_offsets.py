"""What an operator may do to Kafka by mistake: a topic is deleted while everybody works, and a group is set ahead of what it has read."""

from __future__ import annotations

from collections import Counter
from functools import partial

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from courtside_contracts.topics import BOOKING_EVENTS
from deploy.broker import BrokerSettings
from deploy.topics.provisioning import provision
from services.chassis import restoring, subscribing
from services.chassis.topics_watch import TopicsWatch, WrongTopics
from tests.integration.chassis.conftest import Bench, Noted, reader, until
from tests.integration.chassis.test_relay import held_seconds, relaying, waiting

pytestmark = pytest.mark.slow

METADATA_AGE_MS = 1_000
PLAYERS = tuple("abcdefgh")
"""Their keys lie in several partitions."""


async def tell(bench: Bench, number: int) -> None:
    """By the outbox, one event of each player."""
    async with bench.unit_of_work() as work:
        for player in PLAYERS:
            work.publish(Noted(name=player, number=number))


async def all_are_told(bench: Bench, number: int) -> None:
    for player in PLAYERS:
        await bench.until((player, number))


async def delete(bench: Bench, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bench.settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        await until("the topic's end", admin.list_topics, lambda names: topic not in names)
    finally:
        await admin.close()


async def test_a_topic_that_is_deleted_under_way_is_missed_and_nothing_that_waits_for_it_is_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscribing, "METADATA_AGE_MS", METADATA_AGE_MS)
    settings = bench.settings
    topics = TopicsWatch(settings, [BOOKING_EVENTS])
    async with relaying(bench) as relay, bench.working() as worker:
        await tell(bench, 1)
        await all_are_told(bench, 1)
        await delete(bench, bench.topic)
        await topics.look()
        with pytest.raises(WrongTopics, match=r"booking\.events is not there.*topics apply"):
            await topics.verdict()

        await tell(bench, 2)
        await until("a relay that waits", partial(held_seconds, bench), lambda seconds: seconds > 1)
        assert await waiting(bench) == len(PLAYERS)
        await provision(BrokerSettings(kafka_bootstrap=settings.kafka_bootstrap, topic_prefix=settings.topic_prefix))
        await topics.look()
        assert await topics.verdict()
        await all_are_told(bench, 2)
        await until("an empty outbox", partial(waiting, bench), lambda count: count == 0)
        assert not relay.done()
        assert not worker.task.done()
    assert Counter(await bench.effects()) == {(player, number): 1 for player in PLAYERS for number in (1, 2)}


async def test_what_a_group_was_set_past_is_heard_when_an_operator_sets_it_back(bench: Bench) -> None:
    """`python -m services.<name> restored`, as after a restored database: the inbox knows what it has, and the rest is heard."""
    spot = TopicPartition(bench.topic, 0)
    async with bench.working():
        await bench.publish(Noted(name="a", number=1))
        await bench.until_committed()
    await bench.publish(*(Noted(name="a", number=number) for number in (2, 3)))
    await set_ahead(bench, spot)
    async with bench.working():
        await bench.publish(Noted(name="a", number=4))
        await bench.until(("a", 4))
        await bench.until_committed()
    assert await bench.effects() == [("a", 1), ("a", 4)], "two were passed over"

    await restoring.run(bench.settings, main=(BOOKING_EVENTS,))
    async with bench.working():
        await bench.until(("a", 3))
        await bench.until_committed()
    assert Counter(await bench.effects()) == {("a", number): 1 for number in (1, 2, 3, 4)}


async def set_ahead(bench: Bench, spot: TopicPartition) -> None:
    group = bench.settings.topic_prefix + bench.settings.service
    async with reader(bench.settings.kafka_bootstrap, group=group) as consumer:
        consumer.assign([spot])
        await consumer.commit({spot: (await consumer.end_offsets([spot]))[spot]})
