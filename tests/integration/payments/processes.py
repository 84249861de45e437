"""The payment service as a process, between a real Kafka, a real PostgreSQL and the stand-in, and what the others say and hear."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from polar.v2026_10 import PolarAsync

from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.payment import PaymentEvent
from courtside_contracts.topics import LADDER, PAYMENT_EVENTS, retry_topic
from deploy.local.keys import ensure_keys
from services.chassis.migrations import upgrade
from tests.integration.payments.builders import NEXT_SECRET, PRODUCT, SECRET, TOKEN, RunningPolar, settings_for
from tests.ports import free_port
from tests.programs import REPOSITORY, Program

WITHIN_SECONDS = 60
PATIENTLY_SECONDS = 240
"""For hundreds of bookings on a busy machine."""


@dataclass
class Running:
    """The service, and what the other services say to it and hear of it."""

    program: Program
    url: str
    standin: RunningPolar
    database_url: str
    kafka: str
    prefix: str
    keys: Path
    environment: Mapping[str, str]

    async def say(self, events: Iterable[Event]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        try:
            for event in events:
                attributes = Envelope(str(uuid4()), event.type, event.source, datetime.now(UTC), event.key)
                topic, key = self.prefix + event.topic, event.key.encode()
                await producer.send(topic, event.value(), key, headers=list(attributes.headers()))
            await producer.flush()
        finally:
            await producer.stop()

    async def hear(self, kind: type[PaymentEvent], booking_ids: set[UUID]) -> list[Any]:
        """All that was told of these bookings up to now, as soon as each of them was told of."""
        heard: list[PaymentEvent] = []
        async with self._listening(PAYMENT_EVENTS.name) as consumer:
            while not (booking_ids == {event.booking_id for event in heard} and await _at_the_end(consumer)):
                told = [_event(record) for record in await _records(consumer)]
                heard += [event for event in told if isinstance(event, kind) and event.booking_id in booking_ids]
        return heard

    async def until_put_off(self, booking_id: UUID) -> None:
        """Until a record of this booking waits in the first retry topic."""
        async with self._listening(retry_topic("payments", LADDER[0].name).name) as consumer:
            while str(booking_id).encode() not in [record.key for record in await _records(consumer)]:
                pass

    @asynccontextmanager
    async def _listening(self, topic: str) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(self.prefix + topic, bootstrap_servers=self.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            async with asyncio.timeout(WITHIN_SECONDS):
                yield consumer
        finally:
            await consumer.stop()

    async def ask(self, query: str, *arguments: object) -> Any:
        connection = await asyncpg.connect(self.database_url)
        try:
            return await connection.fetchval(query, *arguments)
        finally:
            await connection.close()

    async def until(self, query: str, *arguments: object, within_seconds: float = WITHIN_SECONDS) -> None:
        """Until the database answers yes."""
        async with asyncio.timeout(within_seconds):
            while not await self.ask(query, *arguments):  # noqa: ASYNC110 - another process changes what is looked at
                await asyncio.sleep(0.05)

    async def pay(self, booking_id: UUID) -> str:
        """As the player does, on the page; the id of the order at Polar."""
        checkout_id = await self.ask("SELECT checkout_id FROM payment_attempts WHERE booking_id = $1", booking_id)
        await self.standin.pay(checkout_id)
        async with PolarAsync(TOKEN, base_url=self.standin.url) as polar:
            return (await polar.orders.list(checkout_id=checkout_id)).items[0].id

    def started(self, **more: str) -> subprocess.Popen[bytes]:
        """The same service, with further variables, which may end before it is ready."""
        environment = {**os.environ, **self.environment, **more}
        command = [sys.executable, "-m", "services.payments"]
        with (self.keys / "payments-dying.log").open("ab") as output:
            return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=output)


@asynccontextmanager
async def running_service(
    folder: Path, database_url: str, kafka: str, prefix: str, **told: str
) -> AsyncIterator[Running]:
    """Migrated and started. `told` are further settings of the service."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ensure_keys(folder)
    standin = RunningPolar(folder, WEBHOOK_URL=f"{url}/webhooks/polar", WEBHOOK_TIME_SCALE="0.1")
    settings = {
        "ENVIRONMENT": "test",
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": kafka,
        "TOPIC_PREFIX": prefix,
        "HTTP_PORT": str(port),
        "JWKS_FILE": str(folder / "jwks.json"),
        "POLAR_BASE_URL": standin.url,
        "POLAR_ACCESS_TOKEN": TOKEN,
        "POLAR_PRODUCT_ID": str(PRODUCT),
        "POLAR_WEBHOOK_SECRETS": json.dumps([SECRET, NEXT_SECRET]),
        "RETRY_DELAYS": '["PT0.5S", "PT1S", "PT2S", "PT4S"]',
        **told,
    }
    environment = {f"PAYMENTS_{name}": value for name, value in settings.items()}
    await asyncio.to_thread(upgrade, settings_for(database_url, standin))
    program = Program("services.payments", environment, f"{url}/readyz", folder / "payments.log")
    running = Running(program, url, standin, database_url, kafka, prefix, folder, environment)
    await asyncio.to_thread(standin.program.start)
    await asyncio.to_thread(program.start)
    try:
        yield running
    finally:
        running.program.stop()
        standin.program.stop()


async def _records(consumer: AIOKafkaConsumer) -> list[Any]:
    return list(chain.from_iterable((await consumer.getmany(timeout_ms=200)).values()))


async def _at_the_end(consumer: AIOKafkaConsumer) -> bool:
    ends = await consumer.end_offsets(consumer.assignment())
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


def _event(record: Any) -> Event:
    return EVENTS[Envelope.parse(record.headers).type].model_validate_json(record.value)
