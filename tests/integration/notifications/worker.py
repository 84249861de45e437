"""The consume pipeline of notifications without a broker: records go in by hand, and what is routed on is kept."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from aiokafka import ConsumerRecord
from sqlalchemy import select, text

from courtside_contracts.booking import BookingConfirmed
from courtside_contracts.envelope import Envelope, Event
from courtside_contracts.user import UserProfile
from services.chassis.consuming import Consumers, Delivery
from services.chassis.pipeline import Pipeline
from services.chassis.retrying import Ladder
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications.emails.actions import MailProvider
from services.notifications.emails.consumers import Mailing
from services.notifications.emails.tables import Email
from services.notifications.recipients import consumers as recipients
from services.notifications.recipients.mutations import remember
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
    settings: NotificationsSettings
    unit_of_work: UnitOfWorkFactory
    provider: MailProvider
    routed_on: RoutedOn = field(default_factory=RoutedOn)

    @property
    def mailing(self) -> Mailing:
        return Mailing(self.provider, self.settings.sender, self.settings.resend_per_second)

    async def handle(self, *records: ConsumerRecord[bytes, bytes]) -> None:
        consumers = Consumers(
            projections={UserProfile: remember},
            tombstones={UserProfile: recipients.forget},
            calling_out={BookingConfirmed: self.mailing.confirm},
        )
        pipeline = Pipeline(self.settings, consumers, self.unit_of_work, Ladder("notifications"))
        pipeline.forwarder.producer = self.routed_on
        await pipeline.handle_batch(records)

    async def confirm(self, booking: BookingConfirmed) -> None:
        """The handler itself, with its errors."""
        await self.mailing.confirm(Delivery(booking, str(uuid4()), "notifications", self.unit_of_work))

    async def booked_by(self, **profile: Any) -> BookingConfirmed:
        """A confirmed booking of a player whose profile has arrived."""
        user_id = uuid4()
        await self.handle(record(a_profile(user_id=user_id, **profile)))
        return a_booking(booking_id=uuid4(), user_id=user_id)

    async def stored(self, booking: BookingConfirmed) -> Email:
        async with self.unit_of_work() as work:
            return (await work.session.scalars(select(Email).where(Email.booking_id == booking.booking_id))).one()

    async def published(self, booking: BookingConfirmed) -> list[dict[str, Any]]:
        """The rows of our own outbox about this booking."""
        query = text("SELECT type, aggregatetype AS topic, payload FROM outbox WHERE aggregateid = :key ORDER BY seq")
        async with self.unit_of_work() as work:
            rows = (await work.session.execute(query, {"key": booking.key})).mappings().all()
        return [dict(row) for row in rows]
