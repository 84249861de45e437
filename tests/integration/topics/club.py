"""The three services as processes of a secured broker, each as its own user, with stand-ins of their own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.topics import SERVICES
from deploy.local.environment import HOST
from deploy.local.processes import Part
from deploy.player import Urls
from deploy.topics import acls
from deploy.topics.provisioning import provision
from services.chassis.kafka import client
from tests.integration.chassis.conftest import until
from tests.integration.topics.secured import OPERATOR, PREFIX, Security
from tests.ports import free_port
from tests.stack import TestStack
from tests.unit.notifications.builders import MONDAY_NOON

SHORT_DELAYS = '["PT0.5S", "PT1S", "PT1S", "PT1S"]'


@dataclass(frozen=True)
class Club:
    stack: TestStack
    security: Security
    databases: dict[str, str]
    urls: Urls

    @classmethod
    async def found(cls, stack: TestStack) -> Club:
        """Broker, topics, rights, databases and stand-ins; no service runs yet."""
        users = [PREFIX + rights.user for rights in acls.all_rights()]
        security = Security.make(stack.installation.paths.home / "secured", free_port(), users)
        await _start_broker(stack, security)
        operator = security.settings(OPERATOR)
        await provision(operator)
        await acls.apply(operator)
        databases = {service: await stack.new_database(service) for service in SERVICES}
        urls = Urls(*(f"http://{HOST}:{free_port()}" for _ in range(3)))
        return cls(stack, security, databases, urls)

    def told(self, service: str, user: str = "") -> dict[str, str]:
        """The environment of a service that is this user: its own, unless another is named."""
        name = service.upper()
        return self.security.told(PREFIX + (user or service), name) | {
            f"{name}_DATABASE_URL": self.databases[service],
            f"{name}_RETRY_DELAYS": SHORT_DELAYS,
            "PAYMENTS_POLAR_BASE_URL": self.urls.polar,
            "NOTIFICATIONS_RESEND_BASE_URL": self.urls.resend,
        }

    async def migrate(self, service: str, *more: str) -> None:
        for word in ("migrate", *more):
            told = self.stack.environment(service, **self.told(service))
            await self.stack.run(f"secured-{word}-{service}", f"services.{service}", word, **told)

    async def start(self, service: str, role: str = "all", *, user: str = "", name: str = "") -> str:
        """As `secured-<service>`, or under another name beside it."""
        return await self.stack.start(service, role, name=f"secured-{name or service}", **self.told(service, user))

    async def start_standin(self, name: str, url: str, **changes: str) -> None:
        variables = name.upper() + "_STANDIN"
        state = self.security.authority.folder / f"{name}.sqlite"
        changes |= {
            f"{variables}_PORT": url.rsplit(":", 1)[1],
            f"{variables}_PUBLIC_URL": url,
            f"{variables}_STATE": str(state),
        }
        command = (sys.executable, "-m", f"deploy.standins.{name}")
        part = Part(f"secured-{name}", command, self.stack.environment(name, **changes), f"{url}/healthz")
        self.stack.processes.start(part)
        await self.stack.processes.until_ready(part)

    def as_user(self, user: str) -> dict[str, Any]:
        """For aiokafka's clients."""
        return client(self.security.settings(user if user == OPERATOR else PREFIX + user))

    async def publish(self, user: str, topic: str, value: bytes | None, *headers: tuple[str, bytes]) -> None:
        producer = AIOKafkaProducer(**self.as_user(user))
        await producer.start()
        try:
            await producer.send_and_wait(PREFIX + topic, value, key=b"k", headers=list(headers))
        finally:
            await producer.stop()

    async def tell(self, user: str, event: Event, value: bytes | None = None) -> None:
        """The event as its service would, or another value under its headers."""
        envelope = Envelope(str(uuid4()), event.type, event.source, MONDAY_NOON, event.key)
        await self.publish(user, event.topic, value or event.value(), *envelope.headers())

    @asynccontextmanager
    async def reading(self, user: str, topic: str, group: str | None = None) -> AsyncIterator[AIOKafkaConsumer]:
        consumer = AIOKafkaConsumer(
            PREFIX + topic,
            **self.as_user(user),
            group_id=group and PREFIX + group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        try:
            await consumer.start()
            yield consumer
        finally:
            await consumer.stop()

    async def until_value(self, topic: str, part: bytes) -> ConsumerRecord[bytes, bytes]:
        """The first record of the topic whose value holds these bytes, as the operator sees it."""
        async with self.reading(OPERATOR, topic) as consumer:
            seen: list[ConsumerRecord[bytes, bytes]] = []

            async def more() -> list[ConsumerRecord[bytes, bytes]]:
                batches = await consumer.getmany(timeout_ms=200)
                seen.extend(record for batch in batches.values() for record in batch)
                return [record for record in seen if part in (record.value or b"")]

            found: list[ConsumerRecord[bytes, bytes]] = await until(f"{part!r} on {topic}", more, bool)
            return found[0]


async def _start_broker(stack: TestStack, security: Security) -> None:
    folder = security.authority.folder / "kafka"
    kafka = replace(stack.kafka, folder=folder, port=security.port, listener=security.listener())
    await kafka.prepare(stack.processes)
    part = replace(kafka.part(), name="secured-kafka")
    stack.processes.start(part)
    await stack.processes.until_ready(part)
