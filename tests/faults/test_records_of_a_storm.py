"""What a storm does to the topics really comes to pass: the newest records are there again, to the byte, in their order or in another."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from courtside_contracts.topics import BOOKING_EVENTS
from tests.faults.checker.history import Fault as Played
from tests.faults.nemesis import records
from tests.faults.nemesis.storm import Play, Storm
from tests.faults.plan.plan import Fault, Point
from tests.integration.chassis.conftest import Bench, Noted

pytestmark = pytest.mark.slow

EACH = 3
"""Records of each partition before the fault; it takes all of them."""
ALL = EACH * BOOKING_EVENTS.partitions


def storm_over(bench: Bench) -> Storm:
    stack = SimpleNamespace(bootstrap=bench.settings.kafka_bootstrap)
    return cast(
        "Storm",
        SimpleNamespace(
            system=SimpleNamespace(stack=stack, prefix=bench.settings.topic_prefix),
            scene=SimpleNamespace(chance=Random),
        ),
    )


@pytest.mark.parametrize("play", [records.records_repeated, records.records_shuffled], ids=lambda play: play.__name__)
async def test_records_that_come_again_are_the_same_to_the_byte(bench: Bench, play: Play) -> None:
    for partition in range(BOOKING_EVENTS.partitions):
        await bench.publish(
            *(Noted(name=f"p{partition}", number=number) for number in range(EACH)), partition=partition
        )
    before = await bench.read(bench.topic, ALL)

    at, fault = (
        datetime.now(UTC),
        Fault(play.__name__, 31, Point("second", 1, 1.0), {"target": BOOKING_EVENTS.name, "records": ALL}),
    )
    details = await play(storm_over(bench), fault)

    after = await bench.read(bench.topic, 2 * ALL)
    assert Played(fault.kind, fault.row, at, datetime.now(UTC), fault.target, details).hit
    assert Counter(map(content, after)) == dict.fromkeys(map(content, before), 2)
    again = [
        [record.value for record in after if record.partition == partition]
        for partition in range(BOOKING_EVENTS.partitions)
    ]
    in_order = [values[:EACH] == values[EACH:] for values in again]
    assert all(in_order) == (play is records.records_repeated)


def content(record: Any) -> tuple[Any, ...]:
    return record.partition, record.key, record.value, tuple(record.headers)
