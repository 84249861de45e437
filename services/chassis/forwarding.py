"""Carries records that could not be handled to the retry topics and the dead letters: the very bytes, as far as Kafka takes them.

Two kinds of record can be read and not be sent: one with neither key nor value, which clients refuse to write, and one that its
sender had compressed, and that is larger than a topic's limit when it is not. Neither may hold up its partition for ever.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from courtside_contracts.envelope import Headers
from courtside_contracts.topics import FAILURE_HEADERS_MAX_BYTES, RECORD_MAX_BYTES
from services.chassis.crash_points import reach
from services.chassis.kafka import client
from services.chassis.messaging_spans import routing
from services.chassis.retrying import (
    FAILURE_HEADERS,
    HEADERS_OMITTED,
    KEY_OMITTED,
    KEY_WAS_NULL,
    VALUE_OMITTED,
    Hop,
    first_headers,
)
from services.chassis.settings import Settings
from services.chassis.subscribing import Record

PARCEL_MAX_BYTES = RECORD_MAX_BYTES + FAILURE_HEADERS_MAX_BYTES
"""What a retry topic and a dead-letter topic take."""
KEPT_HEADER_MAX_BYTES = 4_096
"""Of one of ours, when those of the sender are left out: our longest is an error of 1,024 characters."""


class ForwarderFailed(Exception):
    """A fatal error of the producer: every later send of it fails too."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size_bytes(self) -> int:
        """At most, on the wire, uncompressed."""
        size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(self.key, self.value, list(self.headers))
        return size

    def saying(self, header: str, size_bytes: int) -> Parcel:
        return replace(self, headers=(*self.headers, (header, str(size_bytes).encode())))


def parcel(record: Record, hop: Hop, dead_letters: str) -> Parcel:
    """Pure. Of a record that is too large the value is left out, and if need be more; then it is a dead letter, since no try could come."""
    whole = cut = _with_a_key(Parcel(hop.topic, record.key, record.value, hop.headers))
    for leave_out in CUTS:
        if cut.size_bytes > PARCEL_MAX_BYTES:
            cut = _with_a_key(leave_out(cut))
    return whole if cut is whole else replace(cut, topic=dead_letters)


def _with_a_key(parcel: Parcel) -> Parcel:
    if parcel.key is not None or parcel.value is not None:
        return parcel
    return replace(parcel, key=b"", headers=(*parcel.headers, (KEY_WAS_NULL, b"true")))


def _without_value(parcel: Parcel) -> Parcel:
    if parcel.value is None:
        return parcel
    return replace(parcel, value=None).saying(VALUE_OMITTED, len(parcel.value))


def _without_foreign_headers(parcel: Parcel) -> Parcel:
    known = first_headers(parcel.headers)
    kept = tuple((name, known[name]) for name in FAILURE_HEADERS if name in known)
    small = tuple((name, value) for name, value in kept if len(value) <= KEPT_HEADER_MAX_BYTES)
    size = sum(len(name.encode()) + len(value or b"") for name, value in parcel.headers)
    return replace(parcel, headers=small).saying(HEADERS_OMITTED, size)


def _without_key(parcel: Parcel) -> Parcel:
    return replace(parcel, key=b"").saying(KEY_OMITTED, len(parcel.key or b""))


CUTS: tuple[Callable[[Parcel], Parcel], ...] = (_without_value, _without_foreign_headers, _without_key)


class Forwarder:
    """One producer for all that is routed on in a process."""

    def __init__(self, settings: Settings, dead_letters: str) -> None:
        """`dead_letters` is the topic without the prefix of the installation, as in a `Hop`."""
        self._settings, self._dead_letters = settings, dead_letters
        self.producer: AIOKafkaProducer | None = None
        self._broken = asyncio.Event()

    async def forward(self, record: Record, hop: Hop) -> str:
        """Where it went, without the prefix. Acknowledged by the broker: our offset may move. Raises `KafkaError`."""
        sent = parcel(record, hop, self._dead_letters)
        topic = self._settings.topic_prefix + sent.topic
        assert self.producer is not None, "it was started"
        reach("record.failed")
        try:
            with routing(topic):
                await self.producer.send_and_wait(topic, value=sent.value, key=sent.key, headers=list(sent.headers))
        except KafkaError as failed:
            if not failed.retriable:
                self._broken.set()
            raise
        reach("record.forwarded")
        return sent.topic

    async def start(self) -> None:
        self.producer = AIOKafkaProducer(
            **client(self._settings),
            client_id=f"{self._settings.service}-forwarder",
            enable_idempotence=True,
            max_request_size=PARCEL_MAX_BYTES,
        )
        await self.producer.start()

    async def cannot_go_on(self) -> None:
        """Ends by raising, once it is so."""
        await self._broken.wait()
        raise ForwarderFailed("the producer of retries and dead letters cannot go on")

    async def stop(self) -> None:
        if self.producer is not None:
            await self.producer.stop()
