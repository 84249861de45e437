"""The process as it is run, on a real broker: events in, mails out, an event back."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from aiokafka import AIOKafkaConsumer

from courtside_contracts.notification import NotificationSent
from courtside_contracts.topics import NOTIFICATION_EVENTS
from tests.integration.notifications.mailer import Mailers, Place, mailers
from tests.integration.notifications.provider import Outbox
from tests.unit.notifications.builders import a_booking, a_profile


async def sent(found: Mailers, count: int) -> dict[UUID, str]:
    """Waits until so many mails were told of: the provider's id by booking."""
    told: dict[UUID, str] = {}
    server = {"bootstrap_servers": found.stack.bootstrap, "auto_offset_reset": "earliest"}
    async with AIOKafkaConsumer(found.prefix + NOTIFICATION_EVENTS.name, group_id=None, **server) as consumer:
        while len(told) < count:
            record = await consumer.getone()
            if dict(record.headers)["ce_type"] == NotificationSent.type.encode():
                event = NotificationSent.model_validate_json(record.value)
                assert told.setdefault(event.booking_id, event.provider_id) == event.provider_id
    return told


@pytest.mark.slow
async def test_a_restart_loses_and_repeats_nothing(place: Place, outbox: Outbox) -> None:
    """Bookings that come before their players' profiles, while mails are under way, and while no process runs."""
    async with mailers(place, outbox, RESEND_PER_SECOND="1000") as found:
        await found.start()
        bookings = [a_booking(booking_id=uuid4(), user_id=uuid4()) for _ in range(12)]
        await found.put(bookings[:6])
        await found.put(a_profile(user_id=booking.user_id) for booking in bookings)

        await sent(found, 3)
        await place.stack.stop("mailer")
        await found.put(bookings[6:])
        await found.start()
        told = await sent(found, len(bookings))
    mails = {each.booking_id: [mail["id"] for mail in outbox.mails(each.booking_id)] for each in bookings}
    assert {booking_id: [provider_id] for booking_id, provider_id in told.items()} == mails
