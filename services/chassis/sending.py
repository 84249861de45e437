"""What the relay's producer does with rows of the outbox: all of them, in order, until the broker has each.

Nothing here gives up while the broker may come back. A record that a producer has given up cannot be sent again by it, only by the
next process: see `docs/decisions/0022-a-producer-that-never-gives-up.md`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from courtside_contracts.topics import FAILURE_HEADERS_MAX_BYTES, RECORD_MAX_BYTES
from services.chassis.kafka import client
from services.chassis.messaging_spans import begin_send, renewed
from services.chassis.outbox import is_verbatim, on_the_wire
from services.chassis.patience import patient
from services.chassis.settings import Settings
from services.chassis.verbatim import RawHeaders
from services.chassis.waiting import happens, to_its_end

log = structlog.get_logger()

ANSWER_MS = 40_000
"""How long one request may be under way before it is sent again, under the same number: the broker takes it once."""
PORTION = 100
"""Rows between two turns of the loop, some 2 ms of work: the first are on their way while others are made ready, and a process that gets
little of its machine still beats in time."""
CLOSED_WITHIN_SECONDS = 2.0
NOT_QUEUED = (UnknownTopicOrPartitionError, KafkaTimeoutError)
"""The topic is not known yet, or the buffer is full: the producer did not take the record, and the same call is right later."""


class RelayFailed(Exception):
    """The producer cannot go on, and one rebuilt beside it would send old events behind newer ones: the process must end."""


@dataclass(frozen=True)
class Sender:
    producer: AIOKafkaProducer
    topic_prefix: str

    @classmethod
    async def start(cls, settings: Settings, stopping: asyncio.Event) -> Self | None:
        """Waits for the broker; `None` when told to stop meanwhile. Raises when the broker refuses us."""
        while True:
            producer = make_producer(settings)
            try:
                await to_its_end(producer.start())
            except KafkaConnectionError:
                await producer.stop()
                log.warning("relay waits for the broker")
                if await happens(stopping, 1.0):
                    return None
            except BaseException:  # refused, or cancelled: what was opened is closed
                await producer.stop()
                raise
            else:
                return cls(producer, settings.topic_prefix)

    async def send(self, rows: Sequence[asyncpg.Record]) -> None:
        """Returns when the broker has all of them. Raises `RelayFailed`, whatever went wrong.

        Without a time-out of our own: an idempotent batch that we gave up would still be sent, and then once more by us.
        """
        try:
            acknowledged = []
            for number, row in enumerate(rows, start=1):
                acknowledged.append(await self._enqueue(row))
                if number % PORTION == 0:
                    await asyncio.sleep(0)
            await asyncio.gather(*acknowledged)
        except Exception as error:
            raise RelayFailed(type(error).__name__) from error

    async def stop(self) -> None:
        # `stop` flushes, and hangs when the broker is away: what it could not send is still in the outbox.
        with contextlib.suppress(TimeoutError, KafkaError):
            await asyncio.wait_for(self.producer.stop(), CLOSED_WITHIN_SECONDS)

    async def _enqueue(self, row: asyncpg.Record) -> asyncio.Future[Any]:
        topic = self.topic_prefix + row["aggregatetype"]
        key, headers = on_the_wire(
            id=row["id"],
            type=row["type"],
            aggregateid=row["aggregateid"],
            headers=row["headers"],
            created_at=row["created_at"],
        )
        span = begin_send(topic, key, headers)
        if span is None:
            return await self._queue(topic, row["payload"], key, headers)
        carried = headers if is_verbatim(row["headers"]) else renewed(headers, span)
        acknowledged = await self._queue(topic, row["payload"], key, carried)
        acknowledged.add_done_callback(lambda _: span.end())
        return acknowledged

    async def _queue(
        self, topic: str, value: bytes | None, key: bytes | None, headers: RawHeaders
    ) -> asyncio.Future[Any]:
        while True:
            try:
                acknowledged: asyncio.Future[Any] = await self.producer.send(
                    topic, value=value, key=key, headers=list(headers)
                )
            except NOT_QUEUED as error:
                log.warning("relay waits for the broker", topic=topic, error=type(error).__name__)
            else:
                return acknowledged


def make_producer(settings: Settings) -> AIOKafkaProducer:
    return patient(
        AIOKafkaProducer(
            **client(settings),
            client_id=f"{settings.service}-relay",
            request_timeout_ms=ANSWER_MS,
            enable_idempotence=True,
            max_request_size=RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES,  # a redriven record has those of its failure
            max_batch_size=131_072,  # some 300 events: a batch of ours is two or three requests
        )
    )
