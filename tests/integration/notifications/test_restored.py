"""The database of notifications is restored to the past: it knows again what became of each booking, and mails nobody twice."""

from __future__ import annotations

from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import select, text

from courtside_contracts.booking import BookingRefundDue
from services.chassis.clock import DatabaseClock
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications import restored
from services.notifications.bookings.mutations import follow
from services.notifications.bookings.tables import BookingRow
from services.notifications.settings import NotificationsSettings
from tests.integration.notifications.mailer import Place, mailers
from tests.integration.notifications.provider import KEY, Outbox
from tests.integration.notifications.test_news import cancelled
from tests.unit.notifications.builders import ORDER_ID, a_booking


async def test_a_game_that_was_called_off_since_the_dump_is_known_to_be_off(place: Place, outbox: Outbox) -> None:
    """Its money came back last, which is no news to the player: the cancellation before it is."""
    booking = a_booking(booking_id=uuid4(), user_id=uuid4())
    off = cancelled(booking, 3)
    due = {"order_id": ORDER_ID, "amount_minor": 3600, "reason": "paid_twice"}
    paid_twice = BookingRefundDue(**off.model_dump() | {"version": 4, "refunds_due": [due]})
    async with mailers(place, outbox) as found:
        unit_of_work = UnitOfWorkFactory(found.database, DatabaseClock(), lambda: None)
        async with unit_of_work() as work:
            await follow(work, booking)
        await found.put([booking, off, paid_twice, a_booking(booking_id=uuid4(), user_id=uuid4())])
        for _ in range(2):  # it may be run again
            await restored.run(settings_of(found.told))
        async with unit_of_work() as work:
            known = await work.session.scalar(select(BookingRow).where(BookingRow.booking_id == booking.booking_id))
            assert known is not None
            assert (known.status, known.version, known.news_version) == ("cancelled", 4, 3)
            for table in ("emails", "outbox", "inbox"):
                assert await work.session.scalar(text(f"SELECT count(*) FROM {table}")) == 0
            assert await work.session.scalar(text("SELECT count(*) FROM bookings")) == 2


def settings_of(told: dict[str, str]) -> NotificationsSettings:
    return NotificationsSettings(
        environment="test",
        database_url=SecretStr(told["NOTIFICATIONS_DATABASE_URL"]),
        kafka_bootstrap=told["NOTIFICATIONS_KAFKA_BOOTSTRAP"],
        topic_prefix=told["NOTIFICATIONS_TOPIC_PREFIX"],
        resend_api_key=SecretStr(KEY),
    )
