"""The consume pipeline of notifications without a broker: records go in by hand, and what is routed on is kept."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord
from sqlalchemy import select, text, update

from courtside_contracts.booking import BookingConfirmed, BookingEvent
from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.notification import NotificationQueued
from services.chassis.consuming import Delivery
from services.chassis.pipeline import Pipeline
from services.chassis.retrying import Ladder
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications.app import consumers, letterhead_of
from services.notifications.emails.actions import MailProvider
from services.notifications.emails.consumers import Sending, Writing
from services.notifications.emails.pace import Pace
from services.notifications.emails.tables import Email
from services.notifications.settings import NotificationsSettings
from tests.unit.notifications.builders import MONDAY_NOON, a_booking, a_profile

OFFSETS = count()


def tombstone(user_id: UUID) -> ConsumerRecord[bytes, bytes]:
    """Of an erased user."""
    return dataclasses.replace(record(a_profile(user_id=user_id)), value=None)


def record(event: Event, event_id: str | None = None) -> ConsumerRecord[bytes, bytes]:
    envelope = Envelope(event_id or str(uuid4()), event.type, event.source, MONDAY_NOON, event.key)
    return ConsumerRecord(
        topic=event.topic,
        partition=0,
        offset=next(OFFSETS),
        timestamp=0,
        timestamp_type=0,
        key=event.key.encode(),
        value=event.value(),
        checksum=None,
        serialized_key_size=36,
        serialized_value_size=len(event.value()),
        headers=envelope.headers(),
    )


@dataclass
class RoutedOn:
    """In the place of the producer that carries records to retry topics and dead letters."""

    topics: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def send_and_wait(self, topic: str, *, headers: list[tuple[str, bytes]], **_: Any) -> None:
        self.topics.append(topic)
        self.errors.append(dict(headers)["x-error-message"].decode())


@dataclass
class Worker:
    """`handle` is what a process does with records: it writes mails, and sends what it told itself of."""

    settings: NotificationsSettings
    unit_of_work: UnitOfWorkFactory
    provider: MailProvider
    routed_on: RoutedOn = field(default_factory=RoutedOn)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    @property
    def sending(self) -> Sending:
        pace = Pace(self.provider.name, self.settings.resend_per_second)
        return Sending(self.provider, pace, timedelta(seconds=self.settings.resend_call_seconds), self.sleep)

    async def write(self, *records: ConsumerRecord[bytes, bytes]) -> None:
        """Without sending: that is another consumer's work."""
        writing = Writing(letterhead_of(self.settings))
        pipeline = Pipeline(
            self.settings,
            consumers(writing, self.sending, breaker=None),
            self.unit_of_work,
            Ladder("notifications"),
        )
        pipeline.forwarder.producer = self.routed_on
        await pipeline.handle_batch(records)

    async def handle(self, *records: ConsumerRecord[bytes, bytes]) -> None:
        await self.write(*records)
        keys = {one.key.decode() for one in records if one.key}
        for key in sorted(keys):
            await self.write(*await self.queued(key))

    async def queued(self, booking_id: str) -> list[ConsumerRecord[bytes, bytes]]:
        """What this service told itself of a booking's mails, as Kafka would deliver it, now and again."""
        return [
            record(NotificationQueued.model_validate_json(row["payload"]), str(row["id"]))
            for row in await self.told(booking_id)
            if row["type"] == NotificationQueued.type
        ]

    async def confirm(self, booking: BookingConfirmed) -> None:
        """Written, then sent by the handler itself, with its errors."""
        await self.write(record(booking))
        await self.send(booking)

    async def send(self, booking: BookingEvent) -> None:
        for each in await self.queued(booking.key):
            await self.send_one(each)

    async def send_one(self, queued: ConsumerRecord[bytes, bytes]) -> None:
        event = NotificationQueued.model_validate_json(queued.value or b"")
        await self.sending.send(Delivery(event, str(uuid4()), "notifications", self.unit_of_work))

    async def over(self, booking: BookingEvent) -> None:
        """Whatever of this booking is under way has been for too long."""
        ours = update(Email).where(Email.booking_id == booking.booking_id)
        async with self.unit_of_work() as work:
            await work.session.execute(ours.values(under_way_until=work.now))

    async def booked_by(self, **profile: Any) -> BookingConfirmed:
        """A confirmed booking of a player whose profile has arrived."""
        user_id = uuid4()
        await self.handle(record(a_profile(user_id=user_id, **profile)))
        return a_booking(booking_id=uuid4(), user_id=user_id)

    async def stored(self, booking: BookingEvent, kind: str = "booking-confirmed") -> Email:
        async with self.unit_of_work() as work:
            mine = select(Email).where(Email.booking_id == booking.booking_id, Email.kind == kind)
            return (await work.session.scalars(mine)).one()

    async def states(self, booking: BookingEvent) -> dict[str, str]:
        """Of all its mails, by kind, in the order of writing."""
        async with self.unit_of_work() as work:
            mine = select(Email.kind, Email.state).where(Email.booking_id == booking.booking_id)
            rows = await work.session.execute(mine.order_by(Email.id))
            return {row.kind: row.state for row in rows}

    async def told(self, key: str) -> list[dict[str, Any]]:
        query = text(
            "SELECT id, type, aggregatetype AS topic, payload FROM outbox WHERE aggregateid = :key ORDER BY seq"
        )
        async with self.unit_of_work() as work:
            rows = (await work.session.execute(query, {"key": key})).mappings().all()
        return [dict(row) for row in rows]

    async def published(self, booking: BookingEvent) -> list[dict[str, Any]]:
        """The rows of our own outbox about this booking, without those that we tell ourselves."""
        return [row for row in await self.told(booking.key) if row["type"] != NotificationQueued.type]
