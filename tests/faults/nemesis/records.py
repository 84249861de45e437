"""Faults of what is on the topics: records that come again, in another order, or are no records of ours; offsets that are set back."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from courtside_contracts.envelope import Envelope
from tests.e2e.groups import administering, committed, consuming, groups_of
from tests.faults.nemesis.storm import Details, Storm
from tests.faults.plan.plan import Fault

READ_SECONDS = 10.0
REACH_SECONDS = 30.0
"""Another fault may have taken the broker away for a while, or nothing may be written yet."""
EMPTY_SECONDS = 30.0
"""A group whose members were killed is empty when their sessions are over."""

Headers = Sequence[tuple[str, bytes]]


async def records_repeated(storm: Storm, fault: Fault) -> Details:
    """The newest records once more, to the byte: a producer that repeats itself."""
    records = await _newest(storm, fault)
    return {"records": await _written(storm, records)}


async def records_shuffled(storm: Storm, fault: Fault) -> Details:
    """The same, in another order: who goes by the order would go back."""
    records = await _newest(storm, fault)
    storm.scene.chance(f"shuffled at {fault.at.count}").shuffle(records)
    return {"records": await _written(storm, records)}


async def poison(storm: Storm, fault: Fault) -> Details:
    """Of no service of ours. It must end among the dead letters, or be passed over, and hold up nobody."""
    key, value, headers = poisoned(fault.arguments["sort"], fault.target)
    topic = storm.system.prefix + fault.target
    told = {"topic": topic, "key": key, "value_b64": None if value is None else base64.b64encode(value).decode()}
    storm.poison.append(told)
    async with _producing(storm) as producer:
        await producer.send_and_wait(topic, value, key.encode() if key is not None else None, headers=list(headers))
    return {"sort": fault.arguments["sort"]}


async def offsets_reset(storm: Storm, fault: Fault) -> Details:
    """An operator's slip: a whole service hears everything again, from the first record on."""
    workers = storm.of_service(fault.target, "worker")
    for worker in workers:
        worker.wanted = False
    try:
        await asyncio.gather(*(worker.stop() for worker in workers))
        return {"groups": await _set_back(storm, storm.system.prefix + fault.target)}
    finally:
        for worker in workers:
            worker.wanted = True


async def redrive(storm: Storm, fault: Fault) -> Details:
    """An operator sends all dead letters of a service again; the poison among them dies again."""
    admin = storm.scene.admin()
    url = f"{storm.system.url(f'{fault.target}-api')}/v1/ops/dead-letters/redrives"
    headers = {"Authorization": f"Bearer {admin.token}", "Idempotency-Key": str(uuid4())}
    with suppress(httpx.HTTPError):
        answer = await storm.system.client.post(url, json={"reason": "A storm"}, headers=headers)
        return {"status": answer.status_code}
    return {"status": None}


async def _newest(storm: Storm, fault: Fault) -> list[Any]:
    """Of one topic, once there are some and the broker is there. Raises `TimeoutError`."""
    async with asyncio.timeout(REACH_SECONDS):
        while not (found := await _read_newest(storm, fault)):  # noqa: ASYNC110 - other processes write
            await asyncio.sleep(0.5)
        return found


async def _read_newest(storm: Storm, fault: Fault) -> list[Any]:
    topic, wanted = storm.system.prefix + fault.target, fault.arguments["records"]
    found: list[Any] = []
    with suppress(KafkaError, TimeoutError):
        async with (
            asyncio.timeout(READ_SECONDS),
            administering(storm.system.stack.bootstrap) as admin,
            consuming(storm.system.stack.bootstrap, auto_offset_reset="earliest") as consumer,
        ):
            [described] = await admin.describe_topics([topic])
            places = [TopicPartition(topic, each["partition"]) for each in described["partitions"]]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            for place, end in ends.items():
                consumer.seek(place, max(0, end - max(1, wanted // len(places))))
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += batch
    return found


async def _written(storm: Storm, records: Sequence[Any]) -> int:
    async with _producing(storm) as producer:
        for record in records:
            await producer.send(
                record.topic, record.value, record.key, headers=list(record.headers), partition=record.partition
            )
        await producer.flush()
    return len(records)


@asynccontextmanager
async def _producing(storm: Storm) -> AsyncIterator[AIOKafkaProducer]:
    """Once the broker is there; raises `TimeoutError`. aiokafka's own context leaves one behind that did not start."""
    producer = AIOKafkaProducer(bootstrap_servers=storm.system.stack.bootstrap, enable_idempotence=True)
    try:
        async with asyncio.timeout(REACH_SECONDS):
            await _started(producer)
        yield producer
    finally:
        await producer.stop()


async def _started(producer: AIOKafkaProducer) -> None:
    while True:
        try:
            await producer.start()
        except KafkaError:
            await asyncio.sleep(0.5)
        else:
            return


async def _set_back(storm: Storm, group: str) -> int:
    bootstrap = storm.system.stack.bootstrap
    async with administering(bootstrap) as admin:
        groups = [name for name in await groups_of(admin, storm.system.prefix) if _belongs(name, group)]
        offsets = await committed(admin, groups)
    for name, places in offsets.items():
        async with consuming(bootstrap, group_id=name, enable_auto_commit=False) as consumer:
            consumer.assign(list(places))
            await _committed_in_time(consumer, dict.fromkeys(places, 0))
    return len(offsets)


def _belongs(name: str, group: str) -> bool:
    return name == group or name.startswith(f"{group}.")


async def _committed_in_time(consumer: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
    """Once the group has no members any more; a killed one leaves when its session is over."""
    async with asyncio.timeout(EMPTY_SECONDS):
        while True:
            try:
                await consumer.commit(offsets)
            except KafkaError:
                await asyncio.sleep(0.5)
            else:
                return


def poisoned(sort: str, topic: str) -> tuple[str | None, bytes | None, Headers]:
    key, unique = str(uuid4()), str(uuid4())
    kind = {"payment.events": "payment.succeeded.v1", "user.profiles": "user.profile.v1"}.get(
        topic, "booking.confirmed.v1"
    )
    envelope = Envelope(
        unique, kind if sort != "unknown type" else "tournament.won.v1", "//storm", datetime.now(UTC), key
    )
    headers = list(envelope.headers())
    values: dict[str, tuple[str | None, bytes | None, Headers]] = {
        "garbage": (key, f"\x00garbage {unique}".encode("utf-16"), ()),
        "null value": (key, None, headers),
        "no key": (None, f'{{"lost": "{unique}"}}'.encode(), headers),
        "half a document": (key, f'{{"booking_id": "{unique}", "vers'.encode(), headers),
        "unknown type": (key, json.dumps({"id": unique}).encode(), headers),
        "no envelope": (key, json.dumps({"id": unique}).encode(), ()),
    }
    return values[sort]
