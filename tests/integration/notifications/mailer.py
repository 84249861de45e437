"""Processes of notifications as they are run: a broker, a database and a mail provider of their own, and hands to kill them with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from pydantic import SecretStr
from sqlalchemy import text

from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.topics import dead_letter_topic
from services.chassis import migrations
from services.chassis.database import Database
from services.notifications.settings import NotificationsSettings
from tests.integration.notifications.provider import KEY, Outbox
from tests.stack import TestStack
from tests.unit.notifications.builders import MONDAY_NOON

PATIENCE_SECONDS = 900


@dataclass
class Mailers:
    stack: TestStack
    outbox: Outbox
    told: dict[str, str]
    producer: AIOKafkaProducer
    database: Database
    urls: dict[str, str] = field(default_factory=dict)
    kills: int = 0

    @property
    def prefix(self) -> str:
        return self.told["NOTIFICATIONS_TOPIC_PREFIX"]

    async def start(self, name: str = "mailer", **changes: str) -> None:
        self.urls[name] = await self.stack.start("notifications", name=name, **self.told | changes)

    async def put(self, events: Iterable[Event]) -> None:
        """On their topics, as the other services would."""
        sent = []
        for event in events:
            envelope = Envelope(str(uuid4()), event.type, event.source, MONDAY_NOON, event.key)
            value, headers = event.value(), list(envelope.headers())
            sent.append(await self.producer.send(self.prefix + event.topic, value, event.key.encode(), headers=headers))
        await asyncio.gather(*sent)

    async def states(self) -> dict[str, int]:
        """How many mails there are in each state."""
        async with self.database.sessions() as session:
            rows = await session.execute(text("SELECT state, count(*) FROM emails GROUP BY state"))
            return {state: count for state, count in rows}  # noqa: C416 - a row is no tuple to mypy

    async def until(self, condition: Callable[[], Awaitable[bool]], every_seconds: float = 0.5) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():  # noqa: ASYNC110 - it is other processes that bring it about
                await asyncio.sleep(every_seconds)

    async def all_sent(self, count: int) -> bool:
        return await self.states() == {"sent": count}

    async def sent(self) -> int:
        return (await self.states()).get("sent", 0)

    async def has_sent_more_than(self, count: int) -> bool:
        return await self.sent() > count

    async def dead_letters(self) -> int:
        topic = self.prefix + dead_letter_topic("notifications").name
        async with AIOKafkaConsumer(topic, bootstrap_servers=self.stack.bootstrap) as consumer:
            return sum((await consumer.end_offsets(list(consumer.assignment()))).values())

    async def handled(self, name: str) -> float:
        """Mails that this process sent, as its metrics say."""
        async with httpx.AsyncClient(trust_env=False) as client:
            metrics = (await client.get(f"{self.urls[name]}/metrics")).text
        wanted = ("courtside_events_handled_total{", 'outcome="handled"', 'type="notification.queued.v1"')
        lines = [line for line in metrics.splitlines() if all(part in line for part in wanted)]
        return sum(float(line.rpartition(" ")[2]) for line in lines)

    async def committed(self) -> dict[str, dict[TopicPartition, int]]:
        """Where each consumer group is, in the partitions that it has read from."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.bootstrap)
        await admin.start()
        try:
            groups = [name for name, *_ in await admin.list_consumer_groups() if name.startswith(self.prefix)]
            told = {group: await admin.list_consumer_group_offsets(group) for group in groups}
        finally:
            await admin.close()
        return {
            group: {place: found.offset for place, found in places.items() if found.offset > 0}
            for group, places in told.items()
        }

    async def set_back(self, offsets: dict[str, dict[TopicPartition, int]]) -> None:
        """To zero; nobody of these groups may be running."""
        for group, places in offsets.items():
            server = {"bootstrap_servers": self.stack.bootstrap, "group_id": group, "enable_auto_commit": False}
            async with AIOKafkaConsumer(**server) as consumer:
                consumer.assign(list(places))
                await consumer.commit(dict.fromkeys(places, 0))


@dataclass(frozen=True)
class Place:
    """Where they run: the test session's servers, both of them up."""

    stack: TestStack
    new_topics: Callable[[], Awaitable[tuple[str, str]]]
    new_database: Callable[[str], Awaitable[str]]


@asynccontextmanager
async def mailers(place: Place, outbox: Outbox, **changes: str) -> AsyncIterator[Mailers]:
    """None is running yet. `changes` are settings by their names."""
    stack = place.stack
    bootstrap, prefix = await place.new_topics()
    database_url = await place.new_database("notifications")
    told = {
        "DATABASE_URL": database_url,
        "KAFKA_BOOTSTRAP": bootstrap,
        "TOPIC_PREFIX": prefix,
        "RESEND_BASE_URL": outbox.url,
        "RESEND_API_KEY": KEY,
        "RETRY_DELAYS": '["PT0.5S", "PT2S", "PT2S", "PT2S"]',
        **changes,
    }
    settings: dict[str, Any] = {"database_url": SecretStr(database_url), "resend_api_key": SecretStr(KEY)}
    own = NotificationsSettings(environment="test", **settings)
    await asyncio.to_thread(migrations.upgrade, own)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    database = await Database.open(own)
    found = Mailers(stack, outbox, {f"NOTIFICATIONS_{name}": value for name, value in told.items()}, producer, database)
    try:
        yield found
    finally:
        for name in found.urls:
            await stack.stop(name)
        await database.close()
        await producer.stop()
        await stack.drop_topics(prefix)
