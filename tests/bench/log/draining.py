"""Case d: a backlog leaves the outbox. Beside it the same bytes through a bare producer, and the same backlog through Debezium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from courtside_contracts.topics import BOOKING_EVENTS
from tests.bench.bench import Bench
from tests.bench.lines import Line, ratio_at_least
from tests.bench.log import carriers, outboxes
from tests.bench.log.carriers import Carrier, ConnectWorker, RelayWorker
from tests.bench.log.outboxes import Topic
from tests.bench.log.programs import program
from tests.bench.rounds import Measure, Series, interleaved

ROWS, MANY_ROWS = 100_000, 1_000_000
WARM_UP_ROWS = 50_000
"""Java compiles what is called often: its first thousands are not what it can do."""
OF_A_BARE_PRODUCER, OF_DEBEZIUM = 0.6, 4.0
FLAT = 0.8
"""The rate of a million rows over that of a hundred thousand in one round: no fall is meant, and a machine that others use needs room."""


async def measure(bench: Bench) -> Sequence[Line]:
    await bench.stack.start_kafka()
    async with outboxes.opened(bench.stack) as ours, outboxes.opened(bench.stack) as theirs:
        async with carriers.relay(ours) as relay, carriers.debezium(theirs) as connect:
            measured = await _side_by_side(bench, relay, connect)
        async with carriers.relay(ours) as relay:
            grown = await _grown(max(1, bench.rounds // 2), relay)
    return _lines(measured, grown)


async def _side_by_side(bench: Bench, relay: RelayWorker, connect: ConnectWorker) -> dict[str, Series]:
    await drained_per_second(relay, ROWS)  # what the bare producer sends, too
    await drained_per_second(connect, WARM_UP_ROWS)
    async with _bare_producer(relay.outbox) as bare:
        sides: dict[str, Measure] = {
            "relay": lambda: drained_per_second(relay, ROWS),
            "bare": bare,
            "debezium": lambda: drained_per_second(connect, ROWS),
        }
        return await interleaved(bench.rounds, sides)


async def _grown(rounds: int, relay: RelayWorker) -> dict[str, Series]:
    sides: dict[str, Measure] = {
        "many": lambda: drained_per_second(relay, MANY_ROWS),
        "some": lambda: drained_per_second(relay, ROWS),
    }
    return await interleaved(rounds, sides)


def _lines(measured: dict[str, Series], grown: dict[str, Series]) -> list[Line]:
    relay, what = measured["relay"], f"relay, backlog of {ROWS:,} rows"
    return [
        Line(what, "events/s", relay, "bare aiokafka producer", measured["bare"], ratio_at_least(OF_A_BARE_PRODUCER)),
        Line(what, "events/s", relay, "Debezium", measured["debezium"], ratio_at_least(OF_DEBEZIUM)),
        Line(
            f"relay, backlog of {MANY_ROWS:,} rows",
            "events/s",
            grown["many"],
            f"backlog of {ROWS:,}",
            grown["some"],
            ratio_at_least(FLAT),
        ),
    ]


async def drained_per_second(carrier: Carrier, rows: int) -> float:
    """From the first of them on Kafka to the last."""
    outbox = carrier.outbox
    await outbox.fill(rows)
    async with outboxes.watching(outbox.stack, outbox.topic) as topic:
        return await _per_second(topic, rows, carrier.let_go, carrier.hold)


@asynccontextmanager
async def _bare_producer(outbox: outboxes.Outbox) -> AsyncIterator[Measure]:
    stack = outbox.stack
    _, prefix = await stack.new_topics()
    target = prefix + BOOKING_EVENTS.name
    async with (
        program("raw_producer", stack.bootstrap, outbox.topic, target, str(ROWS)) as producer,
        outboxes.watching(stack, target) as topic,
    ):
        yield lambda: _per_second(topic, ROWS, producer.tell, producer.answer)
    await stack.drop_topics(prefix)


async def _per_second(
    topic: Topic, rows: int, begin: Callable[[], Awaitable[object]], end: Callable[[], Awaitable[object]]
) -> float:
    before = await topic.size()
    await begin()
    try:
        seen = await topic.arrivals(rows, before)
    finally:
        await end()
    (began, first), (ended, last) = seen[0], seen[-1]
    return (last - first) / (ended - began)
