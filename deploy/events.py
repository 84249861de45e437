"""What a plain consumer sees on the topics: no group, no framework, nothing of ours but the topic names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from courtside_contracts.topics import BOOKING_EVENTS, NOTIFICATION_EVENTS, PAYMENT_EVENTS
from services.chassis.kafka import KafkaSettings, client

BOOKING_TOPICS = (BOOKING_EVENTS.name, PAYMENT_EVENTS.name, NOTIFICATION_EVENTS.name)
"""All that is told of a booking, keyed by its id."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One record, as JSON shows it."""

    topic: str
    key: str
    id: str
    type: str
    time: str
    data: dict[str, Any]

    @classmethod
    def of(cls, record: ConsumerRecord[bytes, bytes]) -> Seen:
        headers = {name: value.decode() for name, value in record.headers}
        key, data = (record.key or b"").decode(), json.loads(record.value or b"null")
        return cls(record.topic, key, headers["ce_id"], headers["ce_type"], headers["ce_time"], data)


class Listener:
    """Collects what is published from now on."""

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.seen: list[Seen] = []

    async def poll(self, timeout_ms: int = 100) -> None:
        batches = await self._consumer.getmany(timeout_ms=timeout_ms)
        self.seen += [Seen.of(record) for records in batches.values() for record in records]

    def of(self, booking_ids: set[str]) -> list[Seen]:
        """Each event once, in the order of its time: a relay may send one twice."""
        once = {event.id: event for event in self.seen if event.key in booking_ids}
        return sorted(once.values(), key=lambda event: event.time)


@asynccontextmanager
async def listening(settings: KafkaSettings, topics: Sequence[str] = BOOKING_TOPICS) -> AsyncIterator[Listener]:
    consumer = AIOKafkaConsumer(
        *(settings.topic_prefix + topic for topic in topics),
        **client(settings),
        auto_offset_reset="latest",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)  # asks now, so that "from now on" begins here
        yield Listener(consumer)
    finally:
        await consumer.stop()
