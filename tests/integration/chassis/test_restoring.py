"""Groups are set back to before a moment, never forth, and never under a process that runs."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from sqlalchemy import insert, select, text

from courtside_contracts.topics import BOOKING_EVENTS
from deploy.local.environment import ROOT
from services.chassis import restoring
from services.chassis.inbox import inbox
from tests.integration.chassis.conftest import Bench, until

NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(days=7)
"""A day of last week: the broker takes no record of a time to come."""
PARTITION = 0


async def tell(bench: Bench, *hours: int) -> TopicPartition:
    """Records of so many hours after noon."""
    for hour in hours:
        at_ms = int((NOON + timedelta(hours=hour)).timestamp() * 1000)
        await bench.producer.send_and_wait(bench.topic, b"{}", partition=PARTITION, timestamp_ms=at_ms)
    return TopicPartition(bench.topic, PARTITION)


def reading(bench: Bench) -> AIOKafkaConsumer:
    group = bench.settings.topic_prefix + bench.settings.service
    return AIOKafkaConsumer(bootstrap_servers=bench.settings.kafka_bootstrap, group_id=group, enable_auto_commit=False)


async def commit(bench: Bench, spot: TopicPartition, offset: int) -> None:
    async with reading(bench) as consumer:
        consumer.assign([spot])
        await consumer.commit({spot: offset})


async def committed(bench: Bench, spot: TopicPartition) -> int | None:
    async with reading(bench) as consumer:
        consumer.assign([spot])
        found: int | None = await consumer.committed(spot)
        return found


@pytest.mark.parametrize(("reached", "then"), [(4, 2), (1, 1), (None, None)], ids=["ahead", "behind", "never there"])
async def test_a_group_goes_back_and_never_forth(bench: Bench, reached: int | None, then: int | None) -> None:
    spot = await tell(bench, 0, 1, 2, 3)
    if reached is not None:
        await commit(bench, spot, reached)
    for _ in range(2):
        await restoring.hear_again(bench.settings, NOON + timedelta(hours=1, minutes=30), main=(BOOKING_EVENTS,))
        assert await committed(bench, spot) == then


async def test_a_database_that_knows_nothing_hears_everything(bench: Bench) -> None:
    spot = await tell(bench, 0, 1)
    await commit(bench, spot, 2)
    since = await restoring.last_known(bench.database)
    assert since is None
    await restoring.hear_again(bench.settings, since, main=(BOOKING_EVENTS,))
    assert await committed(bench, spot) == 0


async def test_what_is_heard_begins_a_day_before_what_the_database_knows(bench: Bench) -> None:
    handled = {"consumer_group": "payments", "event_id": "one", "handled_at": NOON}
    async with bench.database.engine.begin() as connection:
        await connection.execute(insert(inbox).values(handled))
    since = await restoring.last_known(bench.database)
    assert since == NOON - timedelta(days=1)
    await tell(bench, -30, -20, 5)
    heard = [record.timestamp async for record in restoring.told(bench.settings, (BOOKING_EVENTS,), since)]
    assert heard == [int((NOON + timedelta(hours=hour)).timestamp() * 1000) for hour in (-20, 5)]


async def test_an_inbox_that_is_thinned_out_by_the_handbook_keeps_what_a_restore_asks_for(bench: Bench) -> None:
    """Also after a season without events: the newest row says from when on the topics are heard."""
    (by_the_handbook,) = re.findall(
        r"^```sql\n(.*?)^```$", (ROOT / "docs" / "scale.md").read_text(), re.DOTALL | re.MULTILINE
    )
    closed_since = NOON - timedelta(days=200)
    ages = {"last": 0, "of this season": 89, "old": 91, "older": 400}
    handled = [
        {"consumer_group": "payments", "event_id": name, "handled_at": closed_since - timedelta(days=days)}
        for name, days in ages.items()
    ]
    async with bench.database.engine.begin() as connection:
        await connection.execute(insert(inbox).values(handled))
        await connection.execute(text(by_the_handbook))
        kept = (await connection.scalars(select(inbox.c.event_id))).all()
    assert {*kept} == {"last", "of this season"}
    assert await restoring.last_known(bench.database) == closed_since - restoring.MARGIN


async def test_a_group_is_not_set_back_under_a_process_that_runs(bench: Bench) -> None:
    spot = await tell(bench, 0, 1)
    await commit(bench, spot, 2)
    async with reading(bench) as running:
        running.subscribe([bench.topic])

        async def assigned() -> bool:
            await running.getmany(timeout_ms=50)
            return bool(running.assignment())

        await until("the running process", assigned, bool)
        with pytest.raises(restoring.StillRunning, match="stop every process of payments"):
            await restoring.hear_again(bench.settings, None, main=(BOOKING_EVENTS,))
    assert await committed(bench, spot) == 2
