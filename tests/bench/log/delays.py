"""Case c: how long after its COMMIT a consumer has an event, at a steady rate. Beside it the same with Debezium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

from tests.bench.bench import Bench
from tests.bench.lines import Line, at_most
from tests.bench.log import carriers, outboxes
from tests.bench.log.carriers import Carrier
from tests.bench.log.programs import Program, program
from tests.bench.rounds import Series, percentile

RATES = (5, 200, 1000)
"""Commits a second: a quiet club, the rush of one, that of many."""
EVENTS_MIN = 40
"""Of one round: fewer have no 99th percentile."""
FIRST_EVENTS = 10
"""Not measured: a carrier that was held, and connections that were idle, begin anew."""
WARM_UP_EVENTS = 3_000
"""Before the first round: Java compiles what is called often."""
WITHIN_MS = {50: 3.0, 99: 10.0}
TUNED_POLL_MS, POLL_MS = 5, 500
"""Debezium's `poll.interval.ms`: the best that was found for it, and what it is by default."""
DEFAULT_RATE = 200


@dataclass(frozen=True)
class Way:
    """From a process that commits to one that consumes."""

    carrier: Carrier
    writer: Program
    reader: Program

    async def delays_ms(self, rate: int, events: int) -> list[float]:
        """Of each event, while nobody else carries anything."""
        await self.carrier.let_go()
        try:
            await self._travel(DEFAULT_RATE, FIRST_EVENTS)
            return await self._travel(rate, events)
        finally:
            await self.carrier.hold()

    async def _travel(self, rate: int, events: int) -> list[float]:
        await self.writer.tell(f"{rate} {events}")
        committed = orjson.loads(await self.writer.answer())
        await self.reader.tell(orjson.dumps(list(committed)).decode())
        seen = orjson.loads(await self.reader.answer())
        return [(seen[event_id] - at) * 1000 for event_id, at in committed.items()]


@asynccontextmanager
async def way(carrier: Carrier) -> AsyncIterator[Way]:
    outbox = carrier.outbox
    told = outbox.stack.environment("booking", **outbox.environment)
    async with (
        program("writer", **told) as writer,
        program("reader", outbox.stack.bootstrap, outbox.topic) as reader,
    ):
        yield Way(carrier, writer, reader)


async def measure(bench: Bench) -> Sequence[Line]:
    await bench.stack.start_kafka()
    async with (
        outboxes.opened(bench.stack) as ours,
        outboxes.opened(bench.stack) as theirs,
        carriers.relay(ours) as relay,
        carriers.debezium(theirs) as connect,
        way(relay) as by_relay,
        way(connect) as by_debezium,
    ):
        await connect.poll_every(TUNED_POLL_MS)
        for warmed in (by_relay, by_debezium):
            await warmed.delays_ms(DEFAULT_RATE, WARM_UP_EVENTS)
        lines = [
            line for rate in RATES for line in await _at(bench, rate, {"relay": by_relay, "Debezium": by_debezium})
        ]
        await connect.poll_every(POLL_MS)
        return [*lines, *await _at_default(bench, by_debezium)]


async def _at(bench: Bench, rate: int, ways: Mapping[str, Way]) -> list[Line]:
    found = await _percentiles(bench, rate, ways)
    peer = f"Debezium, polling every {TUNED_POLL_MS} ms"
    return [
        Line(
            _what(rate, percent),
            "ms",
            found["relay", percent],
            peer,
            found["Debezium", percent],
            at_most(WITHIN_MS[percent]),
        )
        for percent in WITHIN_MS
    ]


async def _at_default(bench: Bench, debezium: Way) -> list[Line]:
    found = await _percentiles(bench, DEFAULT_RATE, {"Debezium": debezium})
    return [
        Line(f"{_what(DEFAULT_RATE, percent)}, by Debezium as it comes", "ms", found["Debezium", percent])
        for percent in WITHIN_MS
    ]


def _what(rate: int, percent: int) -> str:
    return f"COMMIT to consumer at {rate:,} events/s, p{percent}"


async def _percentiles(bench: Bench, rate: int, ways: Mapping[str, Way]) -> dict[tuple[str, int], Series]:
    """By way and percent, of interleaved rounds."""
    events = max(EVENTS_MIN, int(rate * bench.seconds))
    rounds: dict[str, list[list[float]]] = {name: [] for name in ways}
    for number in range(bench.rounds):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            rounds[name].append(await ways[name].delays_ms(rate, events))
    return {
        (name, percent): Series.of(percentile(each, percent) for each in found)
        for name, found in rounds.items()
        for percent in WITHIN_MS
    }
