"""The payment service as a process, between a real Kafka, a real PostgreSQL and the stand-in: what goes in and what comes out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from polar.v2026_10 import PolarAsync

from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.payment import PaymentCheckoutOpened, PaymentEvent, PaymentSucceeded
from courtside_contracts.topics import LADDER, PAYMENT_EVENTS, retry_topic
from services.chassis.migrations import upgrade
from tests.integration.payments.builders import (
    NEXT_SECRET,
    PRODUCT,
    SECRET,
    TOKEN,
    Player,
    RunningPolar,
    player,
    settings_for,
    signed,
    webhook,
)
from tests.integration.payments.conftest import NewDatabase, NewTopics
from tests.programs import Program, free_port

WITHIN_SECONDS = 60


@dataclass
class Running:
    """The service, and what the other services say to it and hear of it."""

    program: Program
    url: str
    standin: RunningPolar
    database_url: str
    kafka: str
    prefix: str

    async def say(self, events: Iterable[Event]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        try:
            for event in events:
                attributes = Envelope(str(uuid4()), event.type, event.source, datetime.now(UTC), event.key)
                topic, key = self.prefix + event.topic, event.key.encode()
                await producer.send_and_wait(topic, event.value(), key, headers=list(attributes.headers()))
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

    async def until(self, query: str, *arguments: object) -> None:
        """Until the database answers yes."""
        async with asyncio.timeout(WITHIN_SECONDS):
            while not await self.ask(query, *arguments):  # noqa: ASYNC110 - another process changes what is looked at
                await asyncio.sleep(0.05)

    async def pay(self, booking_id: UUID) -> str:
        """As the player does, on the page; the id of the order at Polar."""
        checkout_id = await self.ask("SELECT checkout_id FROM payment_attempts WHERE booking_id = $1", booking_id)
        await self.standin.pay(checkout_id)
        async with PolarAsync(TOKEN, base_url=self.standin.url) as polar:
            return (await polar.orders.list(checkout_id=checkout_id)).items[0].id


async def _records(consumer: AIOKafkaConsumer) -> list[Any]:
    return list(chain.from_iterable((await consumer.getmany(timeout_ms=200)).values()))


async def _at_the_end(consumer: AIOKafkaConsumer) -> bool:
    ends = await consumer.end_offsets(consumer.assignment())
    return all([await consumer.position(partition) >= end for partition, end in ends.items()])


def _event(record: Any) -> Event:
    return EVENTS[Envelope.parse(record.headers).type].model_validate_json(record.value)


@pytest.fixture(scope="module")
async def running(
    new_database: NewDatabase, new_topics: NewTopics, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    folder, port = tmp_path_factory.mktemp("payments"), free_port()
    url = f"http://127.0.0.1:{port}"
    standin = RunningPolar(folder, WEBHOOK_URL=f"{url}/webhooks/polar", WEBHOOK_TIME_SCALE="0.1")
    database_url = await new_database("payments")
    kafka, prefix = await new_topics()
    told = {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": kafka,
        "TOPIC_PREFIX": prefix,
        "HTTP_PORT": str(port),
        "POLAR_BASE_URL": standin.url,
        "POLAR_ACCESS_TOKEN": TOKEN,
        "POLAR_PRODUCT_ID": str(PRODUCT),
        "POLAR_WEBHOOK_SECRETS": json.dumps([SECRET, NEXT_SECRET]),
        "RETRY_DELAYS": '["PT0.5S", "PT1S", "PT2S", "PT4S"]',
    }
    environment = {f"PAYMENTS_{name}": value for name, value in told.items()}
    await asyncio.to_thread(upgrade, settings_for(database_url, standin))
    program = Program("services.payments", environment, f"{url}/readyz", folder / "payments.log")
    standin.program.start()
    program.start()
    yield Running(program, url, standin, database_url, kafka, prefix)
    program.stop()
    standin.program.stop()


async def test_a_hold_becomes_a_page_and_a_payment_becomes_a_fact(running: Running) -> None:
    ana = player()
    await running.say([ana.profile, ana.held])
    [opened] = await running.hear(PaymentCheckoutOpened, {ana.booking_id})
    order_id = await running.pay(ana.booking_id)
    [paid] = await running.hear(PaymentSucceeded, {ana.booking_id})

    assert (paid.attempt_id, paid.order_id, paid.amount_minor) == (opened.attempt_id, order_id, 2400)
    assert await running.standin.charges(ana.booking_id) == 1


async def test_a_profile_that_comes_after_the_hold_is_waited_for(running: Running) -> None:
    ana = player()
    await running.say([ana.held])
    await running.until_put_off(ana.booking_id)
    await running.say([ana.profile])
    assert len(await running.hear(PaymentCheckoutOpened, {ana.booking_id})) == 1


async def test_a_payment_told_of_by_many_webhooks_at_once_succeeds_once(running: Running) -> None:
    """Polar's own, and five more under ids of their own, as from a second endpoint and a redelivery."""
    ana = player()
    await running.say([ana.profile, ana.held])
    await running.hear(PaymentCheckoutOpened, {ana.booking_id})
    order_id = await running.pay(ana.booking_id)
    ids = [str(uuid4()) for _ in range(5)]
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        body = webhook("order.paid", id=order_id, checkout_id=str(uuid4()))
        answers = await asyncio.gather(
            *(client.post("/webhooks/polar", content=body, headers=signed(body, webhook_id)) for webhook_id in ids)
        )
    assert [answer.status_code for answer in answers] == [202] * 5

    handled = "SELECT count(*) = 5 FROM inbox JOIN polar_webhooks w ON event_id = w.id::text WHERE webhook_id = ANY($1)"
    await running.until(handled, ids)
    await running.until("SELECT count(*) = 0 FROM outbox")
    assert len(await running.hear(PaymentSucceeded, {ana.booking_id})) == 1


@pytest.mark.slow
async def test_a_service_that_is_killed_while_it_opens_pages_opens_each_once(running: Running) -> None:
    players = [player() for _ in range(20)]
    await running.say([known.profile for known in players])
    await running.say([known.held for known in players])
    await running.until("SELECT count(*) > 0 FROM payment_attempts WHERE booking_id = ANY($1)", _ids(players))
    running.program.kill()
    running.program.start()

    opened = await running.hear(PaymentCheckoutOpened, set(_ids(players)))
    urls = {event.booking_id: event.checkout_url for event in opened}
    async with PolarAsync(TOKEN, base_url=running.standin.url) as polar:
        for known in players:
            made = (await polar.checkouts.list(query=known.email)).items
            assert [checkout.url for checkout in made] == [urls[known.booking_id]]


def _ids(players: list[Player]) -> list[UUID]:
    return [known.booking_id for known in players]
