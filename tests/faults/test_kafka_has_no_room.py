"""The broker's disk is full: it takes no record and may even end, and all that is told waits in the outbox, in its order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import pytest
from uuid_utils.compat import uuid7

from courtside_contracts.envelope import Envelope
from services.chassis.outbox import Outgoing
from tests.faults.small_disks import Disk, small_disk
from tests.integration.chassis.conftest import Bench, Noted, open_bench, until
from tests.integration.chassis.test_relay import held_seconds, relaying, waiting
from tests.stack import TestStack

pytestmark = [pytest.mark.slow, pytest.mark.child_servers]

DISK_MEGABYTES = 128
LARGE_BYTES = 200_000
MANY = 40
WAITS_SECONDS = 3.0


@pytest.fixture
async def stack() -> AsyncIterator[TestStack]:
    """Of its own: what shares this broker shares its disk."""
    stack = await TestStack.open()
    try:
        await stack.start_postgres()
        await stack.start_kafka()
        await stack.stop("kafka")
        yield stack
    finally:
        await stack.close()


async def tell(bench: Bench, *numbers: int) -> list[str]:
    """Large events of one booking; their ids."""
    told = [
        Outgoing(uuid7(), Noted.topic, "b", Noted.type, "/test", bytes(LARGE_BYTES), datetime.now(UTC)) for _ in numbers
    ]
    async with bench.unit_of_work() as work:
        work.outgoing.extend(told)
    return [str(each.id) for each in told]


async def until_empty(bench: Bench) -> None:
    await until("an empty outbox", partial(waiting, bench), lambda count: count == 0)


async def test_a_broker_without_room_costs_no_event_and_no_order(stack: TestStack) -> None:
    with small_disk(stack.kafka.data, DISK_MEGABYTES) as disk:
        await stack.start_kafka()
        async with open_bench(stack) as bench:
            await _fills_and_is_freed(stack, bench, disk)
        await stack.kill("kafka")


async def _fills_and_is_freed(stack: TestStack, bench: Bench, disk: Disk) -> None:
    async with relaying(bench) as relay:
        ids = await tell(bench, 1, 2)
        await until_empty(bench)
        disk.fill()
        ids += await tell(bench, *range(MANY))
        await until("a relay that waits", partial(held_seconds, bench), lambda seconds: seconds > WAITS_SECONDS)
        assert await waiting(bench) > 0
        disk.free()
        await stack.kill("kafka")  # whatever was left of it: an operator makes room and starts it again
        await stack.start_kafka()
        await until_empty(bench)
        assert not relay.done()
        records = await bench.read(bench.topic, len(ids))
    heard = [Envelope.parse(record.headers).id for record in records]
    assert list(dict.fromkeys(heard)) == ids, "each one for the first time in order, whatever was repeated"
