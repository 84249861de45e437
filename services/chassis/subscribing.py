"""FastStream's batch subscribers, wired so that nothing is lost: raw bytes in, one acknowledgement for each batch, nothing asleep.

Every oddity here was seen on a real broker; `docs/decisions/0003-batch-subscribers.md` says which.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, TypeAlias

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLScram256, SASLScram512

from services.chassis.clock import Clock
from services.chassis.crash_points import reach
from services.chassis.isolating import Faults, isolate
from services.chassis.waiting import happens

log = structlog.get_logger()

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
HandleBatch = Callable[[Sequence[Record]], Awaitable[None]]

DRAIN_SECONDS = 25
"""A running batch ends and commits before its partitions are given up: less than `rebalance_timeout_ms`, more than a batch."""
BACKOFF_SECONDS = 1.0
"""Before a batch that failed as a whole comes again; FastStream itself would redeliver 2,900 times a second."""

CONSUMER: dict[str, Any] = {
    "auto_offset_reset": "earliest",
    "batch_timeout_ms": 20,  # FastStream sleeps this again after an empty poll: the default of 200 was 394 ms at the 99th percentile
    "rebalance_timeout_ms": 30_000,
    "session_timeout_ms": 10_000,
    "heartbeat_interval_ms": 1_000,  # a rebalance is noticed at the next heartbeat
    "max_poll_interval_ms": 300_000,
}


METADATA_AGE_MS = 30_000
"""A topic that was deleted and made again is read again after so long; aiokafka looks every five minutes by itself."""
LOOK_AGAIN_SECONDS = 30.0
"""A record that is not due is looked at again after so long, though it says when it will be: a process that has not yet heard what time
it is must not wait by a wrong clock for an hour."""


def make_broker(connection: Mapping[str, Any], service: str) -> KafkaBroker:
    """`connection` is what `kafka.client` says."""
    return KafkaBroker(
        connection["bootstrap_servers"].split(","),
        security=_security(connection),
        client_id=service,
        apply_types=False,
        allow_auto_create_topics=False,
        metadata_max_age_ms=METADATA_AGE_MS,
        graceful_timeout=DRAIN_SECONDS,
        logger=logging.getLogger("courtside.faststream"),  # its own named "faststream" has a handler beside ours
        log_level=logging.DEBUG,
    )


def _security(connection: Mapping[str, Any]) -> BaseSecurity:
    """FastStream takes no aiokafka options for this, only words of its own."""
    if "sasl_mechanism" not in connection:
        return BaseSecurity(connection["ssl_context"])
    scram = {"SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}[connection["sasl_mechanism"]]
    user, password = connection["sasl_plain_username"], connection["sasl_plain_password"]
    return scram(user, password, connection["ssl_context"])


class Subscription:
    """One FastStream subscriber and the aiokafka consumer behind it."""

    def __init__(
        self,
        broker: KafkaBroker,
        topics: Sequence[str],
        group: str,
        handle_batch: HandleBatch,
        *,
        stopping: asyncio.Event,
        faults: Faults,
        max_records: int,
        clock: Clock,
        delay: timedelta | None = None,
    ) -> None:
        """`delay` makes it a retry tier: a record is handled once it has lain in its topic for that long, never before."""
        self._handle = handle_batch if delay is None else self._when_due(handle_batch, delay.total_seconds())
        self.group, self.topics = group, topics
        self._stopping, self._faults, self._clock = stopping, faults, clock
        self._began: float | None = None
        self._ended = time.monotonic()
        self._seen: object = None
        self.subscriber: Any = broker.subscriber(
            *topics,
            group_id=group,
            batch=True,
            max_records=max_records,
            ack_policy=AckPolicy.NACK_ON_ERROR,
            parser=_raw_parser,
            decoder=_raw_decoder,
            listener=_Membership(self),
            **CONSUMER,
        )
        self.subscriber(self._on_batch)

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """`None` before the start and after the end."""
        return self.subscriber.consumer

    @property
    def quiet_since(self) -> float:
        """When a batch was last seen to come or to go, by the monotonic clock; one that is under way may take its time."""
        return self._ended if self._began is None else self._began + CONSUMER["max_poll_interval_ms"] / 1000

    async def _on_batch(self, records: Sequence[Record]) -> None:
        """Returns: the batch is committed. Raises: all of it comes again, after a wait."""
        self._began = time.monotonic()
        try:
            await self._handle(records)
            reach("batch.handled")
        except Exception as error:
            log.warning("batch will be repeated", error=type(error).__name__, records=len(records), exc_info=error)
            await happens(self._stopping, BACKOFF_SECONDS)
            raise
        finally:
            self._began, self._ended = None, time.monotonic()

    def _when_due(self, handle_batch: HandleBatch, delay_seconds: float) -> HandleBatch:
        async def gated(records: Sequence[Record]) -> None:
            due, held = _split(records, self._now(), delay_seconds)
            if due:
                await handle_batch(due)
            for partition, (offset, at) in held.items():
                self._hold_back(partition, offset, at)

        return gated

    def _hold_back(self, partition: TopicPartition, offset: int, at: float) -> None:
        """Seek to the first record that is not due and pause its partition until it is: the commit stores this position."""
        if self.consumer is not None and partition in self.consumer.assignment():
            self.consumer.seek(partition, offset)
            self.consumer.pause(partition)
            wait_seconds = min(max(0.0, at - self._now()) + 0.001, LOOK_AGAIN_SECONDS)
            asyncio.get_running_loop().call_later(wait_seconds, self._resume, partition)

    def _now(self) -> float:
        """By the database's clock: a host's own may be wrong by hours."""
        return self._clock.now().timestamp()

    def _resume(self, partition: TopicPartition) -> None:
        if self.consumer is not None and partition in self.consumer.assignment():
            self.consumer.resume(partition)

    async def drain(self) -> None:
        await self.subscriber.lock.wait_release(DRAIN_SECONDS)

    def forget_faults(self, partitions: Iterable[TopicPartition]) -> None:
        """Of partitions that come or go: aiokafka pauses none across a rebalance, so who reads one next finds its fault anew."""
        self._faults.forget(self.group, partitions)

    def guard(self) -> None:
        """FastStream makes a new consumer at each start; each is guarded once."""
        if self.consumer is not None and self._seen is not self.consumer:
            self._seen = self.consumer
            isolate(self.consumer, partial(self._faults.add, self.group))
            _announce_commits(self.consumer)


def _split(
    records: Sequence[Record], now: float, delay_seconds: float
) -> tuple[list[Record], dict[TopicPartition, tuple[int, float]]]:
    """What is due, and for each partition the first record that is not. The broker's append time grows within a partition."""
    due: list[Record] = []
    held: dict[TopicPartition, tuple[int, float]] = {}
    for record in records:
        partition, at = TopicPartition(record.topic, record.partition), record.timestamp / 1000 + delay_seconds
        if partition in held:
            continue
        if at <= now:
            due.append(record)
        else:
            held[partition] = (record.offset, at)
    return due, held


async def _raw_parser(batch: Any, original: Any) -> Any:
    """Total: a header that is not UTF-8 never reaches FastStream's own decoding, which would lose the whole batch.

    The first record and the last are all that it makes something of: an id for the batch.
    """
    message = await original(tuple(dataclasses.replace(record, headers=()) for record in (batch[0], batch[-1])))
    message.raw_message = batch
    return message


async def _raw_decoder(message: Any) -> Any:
    return message.raw_message


class _Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._subscription.drain()
        self._subscription.forget_faults(revoked)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._subscription.forget_faults(assigned)
        self._subscription.guard()


def _announce_commits(consumer: AIOKafkaConsumer) -> None:
    """FastStream commits after the batch, out of our sight."""
    commit = consumer.commit

    async def announced(offsets: Any = None) -> None:
        await commit(offsets)
        reach("offsets.committed")

    consumer.commit = announced
