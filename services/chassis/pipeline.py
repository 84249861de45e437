"""From a batch of Kafka records to effects that happen once: decode, trace, inbox, handler, and what failed is routed on.

Records of one key keep their order; keys go side by side. The offset is committed when every record is done or routed on.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import Any, TypeAlias

import structlog
from opentelemetry import trace
from prometheus_client import Counter, Histogram

from services.chassis import inbox
from services.chassis.attempts import Attempts, CrashLoop
from services.chassis.consuming import LANES, AlreadyHandled, Consumers, Delivery
from services.chassis.dead_letters import erasure
from services.chassis.decoding import Decoder, Received
from services.chassis.forwarding import Forwarder
from services.chassis.messaging_spans import processing, receiving
from services.chassis.retrying import (
    Fatal,
    Ladder,
    NotTried,
    Overtaken,
    Transient,
    attempt_of,
    is_database_away,
    next_hop,
)
from services.chassis.settings import Settings
from services.chassis.subscribing import Record
from services.chassis.telemetry import fail
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

log = structlog.get_logger()

HandleOne: TypeAlias = Callable[[Received], Awaitable[None]]

MOMENTS_SECONDS = (0.05, 0.25)
"""Between the tries of what was overtaken. Measured: of 60 first bookings sent together with their players' profiles, 8 came first."""

HANDLED = Counter("courtside_events_handled_total", "Records by what became of them", ["topic", "type", "outcome"])
ROUTED = Counter(
    "courtside_records_routed_total", "Records that failed, by where they were sent and why", ["to", "error"]
)
AGE = Histogram(
    "courtside_event_age_seconds",
    "From the fact to the end of its handling",
    ["topic", "type"],
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86_400),
)
ATTEMPTS = Counter(
    "courtside_event_attempts_total", "Records that were handled, by which try it was", ["topic", "attempt"]
)
ATTEMPTS_TOLD = 30
"""And those after it: a header may claim any number, and each would be a series for ever."""
_handled, _age, _attempts = cache(HANDLED.labels), cache(AGE.labels), cache(ATTEMPTS.labels)
"""Of a topic and a type of ours: to look a series up costs more than to count in it."""
OTHER = "other"
"""In the place of a type that is not ours: a sender may make up as many as it likes, and each would be a series for ever."""


class Pipeline:
    def __init__(
        self, settings: Settings, consumers: Consumers, unit_of_work: UnitOfWorkFactory, ladder: Ladder
    ) -> None:
        self._consumers, self._unit_of_work, self._ladder = consumers, unit_of_work, ladder
        self._group = settings.service
        self._decoder = Decoder(consumers, ladder)
        self._attempts = Attempts(unit_of_work.database)
        self.forwarder = Forwarder(settings, ladder.dead_letters)

    async def handle_batch(self, records: Sequence[Record]) -> None:
        """Raises only when nothing may be passed over: our database or the broker is away."""
        with receiving(records, self._group):
            if await self._attempts.begin(records):
                log.warning("going carefully through a batch that no process lived to end", records=len(records))
                for record in records:
                    await self._handle_carefully(record)
            else:
                await self._handle(records)
            await self._attempts.end(records)

    async def _handle(self, records: Sequence[Record], moments: Sequence[float] = MOMENTS_SECONDS) -> None:
        handle_one = partial(self._handle_one, moments=moments)
        received = [read for record in records if (read := await self._read(record))]
        first = [read for read in received if read.kind in self._consumers.projections]
        then = [read for read in received if read.kind not in self._consumers.projections]
        for part in (first, then):
            if any(read.kind in self._consumers.calling_out for read in part):
                await _lanes(part, handle_one)
            elif part:
                await self._handle_together(part, handle_one)

    async def _handle_carefully(self, record: Record) -> None:
        """What was overtaken is not waited for: what overtook it may wait for its turn in this process."""
        try:
            async with self._attempts.alone(record):
                await self._handle([record], moments=())
        except CrashLoop as error:
            await self._route(record, error)

    async def _read(self, record: Record) -> Received | None:
        """`None` when the record was passed over or routed on."""
        try:
            received = self._decoder.decode(record)
        except (Fatal, Transient) as error:
            with processing(record, self._group, None):
                await self._route(record, error)
            return None
        if received is None:
            HANDLED.labels(record.topic, OTHER, "passed over").inc()
        return received

    async def _handle_together(self, batch: Sequence[Received], handle_one: HandleOne) -> None:
        """One transaction for all. If it fails, one by one, so that one bad record harms no neighbour."""
        try:
            async with self._unit_of_work() as work:
                new = await inbox.claim(work.session, self._group, [read.envelope.id for read in batch])
                for read in batch:
                    if read.envelope.id in new:
                        new.discard(read.envelope.id)
                        with self._processing(read):
                            await self._apply(read, work)
        except Exception as error:
            if is_database_away(error):
                raise
            await _lanes(batch, handle_one)
        else:
            self._count_handled(batch)

    async def _apply(self, read: Received, work: UnitOfWork) -> None:
        if read.event is None:
            await self._consumers.tombstones[read.kind](work, read.key)
            await erasure.forget(work, read.key)
        else:
            handle = self._consumers.projections.get(read.kind) or self._consumers.in_transaction[read.kind]
            await handle(work, read.event)

    async def _handle_one(self, read: Received, moments: Sequence[float]) -> None:
        with self._processing(read):
            try:
                await self._dispatch_soon(read, moments)
            except AlreadyHandled:
                _handled(read.record.topic, read.envelope.type, "already handled").inc()
            except Exception as error:
                if is_database_away(error):
                    raise
                await self._route(read.record, error)
            else:
                self._count_handled([read])

    def _count_handled(self, batch: Sequence[Received]) -> None:
        """All that can be is counted once for all: to count each record for itself is a fifth of a worker's time."""
        now = self._unit_of_work.clock.now()
        alike = Tally((read.record.topic, read.envelope.type, attempt_of(read.record) + 1) for read in batch)
        for (topic, kind, attempt), count in alike.items():
            _handled(topic, kind, "handled").inc(count)
            _attempts(topic, min(attempt, ATTEMPTS_TOLD)).inc(count)
        for read in batch:
            _age(read.record.topic, read.envelope.type).observe(max(0.0, (now - read.envelope.time).total_seconds()))

    def _processing(self, read: Received) -> AbstractContextManager[None]:
        return processing(read.record, self._group, read.envelope)

    async def _dispatch_soon(self, read: Received, moments: Sequence[float]) -> None:
        for seconds in moments:
            try:
                return await self._dispatch(read)
            except Overtaken:
                await asyncio.sleep(seconds)
        return await self._dispatch(read)

    async def _dispatch(self, read: Received) -> None:
        delivery: Delivery[Any] = Delivery(read.event, read.envelope.id, self._group, self._unit_of_work)
        if call_out := self._consumers.calling_out.get(read.kind):
            await self._call(call_out, delivery)
        else:
            async with delivery.once() as work:
                await self._apply(read, work)

    async def _call(self, call_out: Callable[[Delivery[Any]], Awaitable[None]], delivery: Delivery[Any]) -> None:
        async with self._unit_of_work() as work:
            if await inbox.has(work.session, self._group, delivery.event_id):
                raise AlreadyHandled(delivery.event_id)
        with self._admission():
            await call_out(delivery)
        if not delivery.claimed:
            # Nothing was to be done: that too is an end, and the desk of dead letters knows an end by the inbox.
            async with delivery.once():
                pass

    def _admission(self) -> AbstractContextManager[None]:
        return self._consumers.breaker.admission() if self._consumers.breaker else nullcontext()

    async def _route(self, record: Record, error: Exception) -> None:
        """To the next tier or the dead letters, with why."""
        hop = next_hop(record, error, self._ladder, self._unit_of_work.clock.now())
        fail(trace.get_current_span(), error)
        topic = await self.forwarder.forward(record, hop)
        HANDLED.labels(record.topic, "", "dead letter" if topic == self._ladder.dead_letters else "retried").inc()
        ROUTED.labels(topic, type(error).__name__).inc()
        # A record that was not tried says nothing new, and an outage turns thousands away.
        shown = None if isinstance(error, NotTried) else error
        log.warning("record routed on", to=topic, topic=record.topic, offset=record.offset, exc_info=shown)


async def _lanes(batch: Sequence[Received], handle_one: HandleOne) -> None:
    """Keys side by side, each in order; all lanes end before an error surfaces, so none works on beside a repeated batch."""
    by_key: dict[Any, list[Received]] = {}
    for read in batch:
        key = read.record.key if read.record.key is not None else (read.record.topic, read.record.partition)
        by_key.setdefault(key, []).append(read)
    places = asyncio.Semaphore(LANES)

    async def lane(reads: list[Received]) -> None:
        async with places:
            for read in reads:
                await handle_one(read)

    for outcome in await asyncio.gather(*map(lane, by_key.values()), return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
