"""From a batch of Kafka records to effects that happen once: decode, trace, inbox, handler, and what failed is routed on.

A handler is one of three kinds, and which kind is the whole configuration of a service (`Consumers`, in its `app.py`):

- `projections` copy somebody else's state into a table of ours, in a consumer of their own, so that what the others read there never waits
  behind what they do; when the state is erased at its source, a null value comes in its place, and the projection's `tombstones`
  handler forgets it;
- `in_transaction` handlers touch the database only; a batch of them shares one transaction, and is redone one by one if it fails;
- `calling_out` handlers call a provider; they run one by one, each with transactions of its own, and claim with the result.

Records of one key keep their order; keys go side by side. The offset is committed when every record is done or routed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from prometheus_client import Counter
from pydantic import ValidationError

from courtside_contracts.envelope import Envelope, Event, MalformedEnvelope
from courtside_contracts.topics import FAILURE_HEADERS_MAX_BYTES, RECORD_MAX_BYTES, Topic, all_topics
from services.chassis import inbox
from services.chassis.attempts import Attempts, CrashLoop
from services.chassis.breaker import Breaker
from services.chassis.crash_points import reach
from services.chassis.kafka import client
from services.chassis.retrying import Fatal, Ladder, NotTried, Overtaken, Transient, is_database_away, next_hop
from services.chassis.settings import Settings
from services.chassis.subscribing import Record
from services.chassis.telemetry import tracing
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

log = structlog.get_logger()

LANES = 16
"""Keys handled side by side: as many provider calls are under way at once."""

MOMENTS_SECONDS = (0.05, 0.25)
"""Between the tries of what was overtaken. Measured: of 60 first bookings sent together with their players' profiles, 8 came first."""

COMPACTED = frozenset(topic.name for topic in all_topics() if topic.cleanup == "compact")

HANDLED = Counter("courtside_events_handled_total", "Records by what became of them", ["topic", "type", "outcome"])

E = TypeVar("E", bound=Event)


@dataclass(frozen=True)
class Delivery(Generic[E]):
    """An event as a handler that calls a provider gets it: it opens its own transactions."""

    event: E
    event_id: str
    group: str
    unit_of_work: UnitOfWorkFactory

    @asynccontextmanager
    async def once(self) -> AsyncIterator[UnitOfWork]:
        """The transaction that ends the handling: its rows, its events and the mark in the inbox are one commit.

        Raises `AlreadyHandled`, which the pipeline takes for success, when another process was faster.
        """
        async with self.unit_of_work() as work:
            if not await inbox.claim(work.session, self.group, [self.event_id]):
                raise AlreadyHandled(self.event_id)
            yield work


class AlreadyHandled(Exception):
    """The event's effect is there; nothing is left to do."""


class ForwarderFailed(Exception):
    """A fatal error of the producer: every later send of it fails too."""


InTransaction = Callable[[UnitOfWork, Any], Awaitable[None]]
CallingOut = Callable[[Delivery[Any]], Awaitable[None]]
Forget = Callable[[UnitOfWork, str], Awaitable[None]]
"""Gets the record's key."""


@dataclass(frozen=True)
class Consumers:
    """What a service reads and what it does with each type of event; types that are not named here are passed over."""

    topics: tuple[Topic, ...] = ()
    projections: Mapping[type[Event], InTransaction] = field(default_factory=dict)
    in_transaction: Mapping[type[Event], InTransaction] = field(default_factory=dict)
    calling_out: Mapping[type[Event], CallingOut] = field(default_factory=dict)
    tombstones: Mapping[type[Event], Forget] = field(default_factory=dict)
    paced: tuple[Topic, ...] = ()
    """Of `topics`, those whose records wait for a provider's pace: a consumer of their own reads them, so that nothing else waits too."""
    breaker: Breaker | None = None
    """Of the provider that all of `calling_out` call."""

    def __post_init__(self) -> None:
        for event in self.tombstones:
            if event not in self.projections or event.topic not in COMPACTED:
                raise ValueError(f"{event.type} has no tombstones: only a projection of a compacted topic has")

    @property
    def projected_topics(self) -> tuple[Topic, ...]:
        """Those of which nothing but projections is read."""
        others = {event.topic for event in (*self.in_transaction, *self.calling_out)}
        read = {event.topic for event in self.projections}
        return tuple(topic for topic in self.topics if topic.name in read - others)

    @property
    def main_topics(self) -> tuple[Topic, ...]:
        return tuple(topic for topic in self.topics if topic not in (*self.projected_topics, *self.paced))

    def call_out_on(self, topics: Iterable[Topic]) -> bool:
        """Whether what is read there may call the provider."""
        names = {topic.name for topic in topics}
        return any(event.topic in names for event in self.calling_out)

    @property
    def by_type(self) -> dict[str, type[Event]]:
        return {event.type: event for event in (*self.projections, *self.in_transaction, *self.calling_out)}


class NewerVersion(Transient):
    """A version of an event that this process is too old for: it waits for the deployment to end."""


@dataclass(frozen=True)
class Received:
    """A record that could be read. A tombstone has a kind and no event."""

    record: Record
    envelope: Envelope
    kind: type[Event]
    event: Event | None


class Pipeline:
    def __init__(
        self, settings: Settings, consumers: Consumers, unit_of_work: UnitOfWorkFactory, ladder: Ladder
    ) -> None:
        self._settings, self._consumers, self._unit_of_work, self._ladder = settings, consumers, unit_of_work, ladder
        self._types = consumers.by_type
        self._stems = {name.rsplit(".v", 1)[0] for name in self._types}
        self._group = settings.service
        self._attempts = Attempts(unit_of_work.database)
        self._forwarder: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()

    async def handle_batch(self, records: Sequence[Record]) -> None:
        """Raises only when nothing may be passed over: our database or the broker is away."""
        if await self._attempts.begin(records):
            log.warning("going carefully through a batch that a process before did not end", records=len(records))
            for record in records:
                await self._handle_carefully(record)
        else:
            await self._handle(records)
        await self._attempts.end(records)

    async def _handle(self, records: Sequence[Record]) -> None:
        received = [read for record in records if (read := await self._read(record))]
        first = [read for read in received if read.kind in self._consumers.projections]
        then = [read for read in received if read.kind not in self._consumers.projections]
        for part in (first, then):
            if any(read.kind in self._consumers.calling_out for read in part):
                await _lanes(part, self._handle_one)
            elif part:
                await self._handle_together(part)

    async def _handle_carefully(self, record: Record) -> None:
        try:
            async with self._attempts.alone(record):
                await self._handle([record])
        except CrashLoop as error:
            await self._route(record, error)

    async def _read(self, record: Record) -> Received | None:
        """`None` when the record was passed over or routed on."""
        try:
            attributes = _attributes(record)
            kind = self._types.get(attributes.type)
            if kind is None:
                self._refuse_newer(attributes.type)
                HANDLED.labels(record.topic, attributes.type, "passed over").inc()
                return None
            return Received(record, attributes, kind, self._decode(record, kind))
        except (Fatal, Transient) as error:
            await self._route(record, error)
            return None

    def _decode(self, record: Record, kind: type[Event]) -> Event | None:
        """`None` for a tombstone."""
        if record.value is None:
            if kind not in self._consumers.tombstones:
                raise Fatal(f"{kind.type} has no value")
            return None
        try:
            return kind.model_validate_json(record.value)
        except ValidationError as error:
            # The errors without their input: a dead letter's headers repeat no data.
            raise Fatal(
                "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['type']}" for e in error.errors()[:5])
            ) from error

    def _refuse_newer(self, name: str) -> None:
        if name.rsplit(".v", 1)[0] in self._stems:
            raise NewerVersion(f"{name} is not known here yet", retry_after=self._ladder.tiers[-1].delay)

    async def _handle_together(self, batch: Sequence[Received]) -> None:
        """One transaction for all. If it fails, one by one, so that one bad record harms no neighbour."""
        try:
            async with self._unit_of_work() as work:
                new = await inbox.claim(work.session, self._group, [read.envelope.id for read in batch])
                for read in batch:
                    if read.envelope.id in new:
                        new.discard(read.envelope.id)
                        with tracing(read.envelope.traceparent, read.envelope.correlation_id):
                            await self._apply(read, work)
        except Exception as error:
            if is_database_away(error):
                raise
            await _lanes(batch, self._handle_one)
        else:
            for read in batch:
                self._count(read, "handled")

    async def _apply(self, read: Received, work: UnitOfWork) -> None:
        if read.event is None:
            await self._consumers.tombstones[read.kind](work, _key(read.record))
        else:
            handle = self._consumers.projections.get(read.kind) or self._consumers.in_transaction[read.kind]
            await handle(work, read.event)

    async def _handle_one(self, read: Received) -> None:
        with tracing(read.envelope.traceparent, read.envelope.correlation_id):
            try:
                await self._dispatch_soon(read)
            except AlreadyHandled:
                self._count(read, "already handled")
            except Exception as error:
                if is_database_away(error):
                    raise
                await self._route(read.record, error)
            else:
                self._count(read, "handled")

    async def _dispatch_soon(self, read: Received) -> None:
        for seconds in MOMENTS_SECONDS:
            try:
                return await self._dispatch(read)
            except Overtaken:
                await asyncio.sleep(seconds)
        return await self._dispatch(read)

    async def _dispatch(self, read: Received) -> None:
        delivery: Delivery[Any] = Delivery(read.event, read.envelope.id, self._group, self._unit_of_work)
        if call_out := self._consumers.calling_out.get(read.kind):
            async with self._unit_of_work() as work:
                if await inbox.has(work.session, self._group, delivery.event_id):
                    raise AlreadyHandled(delivery.event_id)
            with self._admission():
                await call_out(delivery)
        else:
            async with delivery.once() as work:
                await self._apply(read, work)

    def _admission(self) -> AbstractContextManager[None]:
        return self._consumers.breaker.admission() if self._consumers.breaker else nullcontext()

    async def _route(self, record: Record, error: Exception) -> None:
        """To the next tier or the dead letters: the very bytes, with why. Acknowledged by the broker before our offset moves."""
        hop = next_hop(record, error, self._ladder, self._unit_of_work.clock.now())
        assert self._forwarder is not None
        topic = self._settings.topic_prefix + hop.topic
        reach("record.failed")
        try:
            await self._forwarder.send_and_wait(topic, value=record.value, key=record.key, headers=list(hop.headers))
        except KafkaError as failed:
            if not failed.retriable:
                self._broken.set()
            raise
        reach("record.forwarded")
        HANDLED.labels(record.topic, "", "dead letter" if hop.topic == self._ladder.dead_letters else "retried").inc()
        # A record that was not tried says nothing new, and an outage turns thousands away.
        shown = None if isinstance(error, NotTried) else error
        log.warning("record routed on", to=hop.topic, topic=record.topic, offset=record.offset, exc_info=shown)

    def _count(self, read: Received, outcome: str) -> None:
        HANDLED.labels(read.record.topic, read.envelope.type, outcome).inc()

    async def start(self) -> None:
        self._forwarder = AIOKafkaProducer(
            **client(self._settings),
            client_id=f"{self._settings.service}-forwarder",
            enable_idempotence=True,
            max_request_size=RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES,
        )
        await self._forwarder.start()

    async def cannot_go_on(self) -> None:
        """Ends by raising, once it is so."""
        await self._broken.wait()
        raise ForwarderFailed("the producer of retries and dead letters cannot go on")

    async def stop(self) -> None:
        if self._forwarder is not None:
            await self._forwarder.stop()


def _attributes(record: Record) -> Envelope:
    try:
        return Envelope.parse(record.headers)
    except MalformedEnvelope as error:
        raise Fatal(str(error)) from error


def _key(record: Record) -> str:
    try:
        return (record.key or b"").decode()
    except UnicodeDecodeError as error:
        raise Fatal("the key is not UTF-8") from error


async def _lanes(batch: Sequence[Received], handle_one: Callable[[Received], Awaitable[None]]) -> None:
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
