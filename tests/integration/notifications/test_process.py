"""The process as it is run, on a real broker: events in, mails out, an event back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pydantic import SecretStr

from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.notification import NotificationSent
from courtside_contracts.topics import NOTIFICATION_EVENTS
from services.chassis import migrations
from services.notifications.settings import NotificationsSettings
from tests.integration.notifications.provider import KEY, Outbox
from tests.stack import TestStack
from tests.unit.notifications.builders import MONDAY_NOON, a_booking, a_profile

PROCESS = "mailer"


@dataclass
class Broker:
    bootstrap: str
    prefix: str
    producer: AIOKafkaProducer

    async def put(self, *events: Event) -> None:
        for event in events:
            envelope = Envelope(str(uuid4()), event.type, event.source, MONDAY_NOON, event.key)
            await self.producer.send_and_wait(
                self.prefix + event.topic,
                key=event.key.encode(),
                value=event.value(),
                headers=list(envelope.headers()),
            )

    async def sent(self, count: int) -> list[NotificationSent]:
        """Waits until so many mails were told of."""
        consumer = AIOKafkaConsumer(
            self.prefix + NOTIFICATION_EVENTS.name,
            bootstrap_servers=self.bootstrap,
            group_id=None,
            auto_offset_reset="earliest",
        )
        try:
            await consumer.start()
            return [NotificationSent.model_validate_json((await consumer.getone()).value) for _ in range(count)]
        finally:
            await consumer.stop()


@pytest.fixture
async def broker(new_topics: Callable[[], Awaitable[tuple[str, str]]]) -> AsyncIterator[Broker]:
    bootstrap, prefix = await new_topics()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    yield Broker(bootstrap, prefix, producer)
    await producer.stop()


@pytest.fixture
async def told(
    broker: Broker, outbox: Outbox, new_database: Callable[[str], Awaitable[str]], settings: NotificationsSettings
) -> dict[str, str]:
    """What the process is told by its environment. Its database is migrated."""
    database_url = await new_database("notifications")
    own = settings.model_copy(update={"database_url": SecretStr(database_url)})
    await asyncio.to_thread(migrations.upgrade, own)
    return {
        "NOTIFICATIONS_DATABASE_URL": database_url,
        "NOTIFICATIONS_KAFKA_BOOTSTRAP": broker.bootstrap,
        "NOTIFICATIONS_TOPIC_PREFIX": broker.prefix,
        "NOTIFICATIONS_RESEND_BASE_URL": outbox.url,
        "NOTIFICATIONS_RESEND_API_KEY": KEY,
        "NOTIFICATIONS_RETRY_DELAYS": '["PT0.2S", "PT0.5S", "PT1S", "PT1S"]',
    }


@pytest.mark.slow
async def test_a_restart_loses_and_repeats_nothing(
    idle_stack: TestStack, broker: Broker, outbox: Outbox, told: dict[str, str]
) -> None:
    """Bookings that come before their players' profiles, while mails are under way, and while no process runs."""
    await idle_stack.start("notifications", name=PROCESS, **told)
    bookings = [a_booking(booking_id=uuid4(), user_id=uuid4()) for _ in range(12)]
    await broker.put(*bookings[:6])
    await broker.put(*(a_profile(user_id=booking.user_id) for booking in bookings))

    await broker.sent(3)
    await idle_stack.stop(PROCESS)
    await broker.put(*bookings[6:])
    await idle_stack.start("notifications", name=PROCESS, **told)
    events = await broker.sent(len(bookings))
    await idle_stack.stop(PROCESS)

    mails = {each.booking_id: [mail["id"] for mail in outbox.mails(each.booking_id)] for each in bookings}
    assert {event.booking_id: [event.provider_id] for event in events} == mails
