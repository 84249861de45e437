"""What a player hears when a booking changes: the news, never what the news has overtaken."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from icalendar import Calendar
from sqlalchemy import text

from courtside_contracts.booking import (
    BookingCancelled,
    BookingConfirmed,
    BookingEvent,
    BookingExpired,
    BookingHeld,
    BookingRefundDue,
    BookingRescheduled,
)
from courtside_contracts.payment import PaymentRefunded, PaymentRefundFailed
from services.notifications.app import letterhead_of
from services.notifications.emails import letters
from services.notifications.emails.actions import MailProvider, NotTaken, Taken
from services.notifications.emails.consumers import AnotherUnderWay, Writing
from services.notifications.emails.domain import Kind
from services.notifications.emails.letters import Letter, Surface
from services.notifications.emails.trying import CopyUnderWay, begin_try, end_try, go_on
from tests.integration.notifications.provider import Killed, KilledAfterAccept, Outbox, calendar_of
from tests.integration.notifications.worker import Worker, record
from tests.unit.notifications.builders import ORDER_ID, a_profile


def held(booking: BookingConfirmed, ends: datetime | None = None) -> BookingHeld:
    ends = ends or datetime.now(UTC) + timedelta(minutes=15)
    return BookingHeld(**booking.model_dump() | {"version": 1, "status": "held", "hold_expires_at": ends})


def moved(booking: BookingConfirmed, version: int = 3) -> BookingRescheduled:
    previous = {"previous_court_id": booking.court_id, "previous_starts_at": booking.starts_at}
    later = {"starts_at": booking.starts_at + timedelta(hours=2), "ends_at": booking.ends_at + timedelta(hours=2)}
    facts = booking.model_dump() | previous | later
    return BookingRescheduled(**facts | {"version": version, "price_difference_minor": 0})


def cancelled(booking: BookingEvent, version: int = 4, **changes: Any) -> BookingCancelled:
    facts = booking.model_dump() | {"version": version, "status": "cancelled", "cancelled_by": "player"}
    due = [{"order_id": ORDER_ID, "amount_minor": 3600, "reason": "cancelled_by_player"}]
    return BookingCancelled(**facts | {"refunds_due": due} | changes)


def refund(booking: BookingEvent) -> dict[str, Any]:
    about = {"booking_id": booking.booking_id, "attempt_id": uuid4(), "refund_id": uuid4(), "order_id": ORDER_ID}
    money = {"amount_minor": 3600, "currency": "EUR", "paid_minor": 3600, "refunded_minor": 3600}
    return about | money | {"reason": "cancelled_by_player"}


async def test_a_booking_from_hold_to_refund_is_told_step_by_step(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    steps = (held(booking), booking, moved(booking), cancelled(moved(booking)))
    paid_back = PaymentRefunded(**refund(booking), refunded_at=datetime.now(UTC))
    for event in (*steps, paid_back):
        await worker.handle(record(event))
    assert worker.routed_on.topics == []
    mails = outbox.mails(booking.booking_id)
    kinds = [{tag["name"]: tag["value"] for tag in mail["tags"]}["kind"] for mail in mails]
    assert sorted(kinds) == sorted(await worker.states(booking))
    assert set((await worker.states(booking)).values()) == {"sent"}
    assert {"booking-held", "booking-confirmed", "booking-rescheduled", "booking-cancelled", "refund-done"} == set(
        kinds
    )


async def test_one_invitation_follows_the_booking(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    for event in (booking, moved(booking), cancelled(moved(booking))):
        await worker.handle(record(event))
    events = [calendar_of(mail) for mail in outbox.mails(booking.booking_id)]
    told = sorted((one["sequence"], method_of(one), str(one["status"])) for one in map(event_of, events))
    assert told == [(2, "REQUEST", "CONFIRMED"), (3, "REQUEST", "CONFIRMED"), (4, "CANCEL", "CANCELLED")]
    assert {str(event_of(one)["uid"]) for one in events} == {f"{booking.booking_id}@courtside"}


def event_of(calendar: Calendar) -> Any:
    (event,) = calendar.walk("VEVENT")
    event["method"] = calendar["method"]
    return event


def method_of(event: Any) -> str:
    return str(event["method"])


async def test_a_cancellation_overtakes_the_confirmation_that_still_waits(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.write(record(booking))
    await worker.write(record(cancelled(booking, 3)))
    for each in await worker.queued(booking.key):
        await worker.write(each)
    assert await worker.states(booking) == {"booking-confirmed": "superseded", "booking-cancelled": "sent"}
    assert [mail["tags"][1]["value"] for mail in outbox.mails(booking.booking_id)] == ["booking-cancelled"]


async def test_a_confirmation_that_comes_after_the_cancellation_is_old_news(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.handle(record(cancelled(booking, 3)))
    await worker.handle(record(booking))
    assert await worker.states(booking) == {"booking-cancelled": "sent", "booking-confirmed": "superseded"}
    (mail,) = outbox.mails(booking.booking_id)
    assert mail["attachments"] == []  # nobody was invited


async def test_a_try_of_unknown_outcome_is_not_repeated_once_it_is_old_news(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    resend, worker.provider = worker.provider, KilledAfterAccept(worker.provider)
    with pytest.raises(Killed):
        await worker.confirm(booking)
    worker.provider = resend
    await worker.over(booking)  # its time is up: the process that began it is dead
    await worker.handle(record(cancelled(booking, 3)))
    assert await worker.states(booking) == {"booking-confirmed": "superseded", "booking-cancelled": "sent"}
    first, second = outbox.requests(booking.booking_id)
    assert first[0] != second[0]


@dataclass
class CancelledMeanwhile:
    """A provider that is slow enough for the booking to be cancelled while it works."""

    provider: MailProvider
    worker: Worker
    cancellation: BookingCancelled
    refused: list[Exception] = field(default_factory=list)
    name: str = "resend"

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken:
        await self.worker.write(record(self.cancellation))
        *_, last = await self.worker.queued(str(self.cancellation.booking_id))
        try:
            await self.worker.send_one(last)
        except AnotherUnderWay as refused:
            self.refused.append(refused)
        return await self.provider.send(payload, idempotency_key)


async def test_a_cancellation_does_not_overtake_a_confirmation_that_is_under_way(
    worker: Worker, outbox: Outbox
) -> None:
    """It waits, so that the last mail in the inbox is the last word."""
    booking = await worker.booked_by()
    resend = worker.provider
    worker.provider = slow = CancelledMeanwhile(resend, worker, cancelled(booking, 3))
    await worker.write(record(booking))
    (queued,) = await worker.queued(booking.key)
    await worker.send_one(queued)
    assert len(slow.refused) == 1
    worker.provider = resend
    for each in await worker.queued(booking.key):
        await worker.write(each)
    assert await worker.states(booking) == {"booking-confirmed": "sent", "booking-cancelled": "sent"}
    kinds = [mail["tags"][1]["value"] for mail in outbox.mails(booking.booking_id)]
    assert kinds == ["booking-confirmed", "booking-cancelled"]


@dataclass
class HeldUp:
    """A process that is held up (a frozen host, a SIGSTOP) for longer than a try lasts, while another one goes on with its work."""

    worker: Worker
    cancellation: BookingCancelled
    resend: MailProvider

    async def __call__(self, *_: object) -> None:
        worker, mine = self.worker, (self.worker.sleep, self.worker.provider)
        worker.sleep, worker.provider = asyncio.sleep, self.resend
        await worker.over(self.cancellation)
        await worker.handle(record(self.cancellation))
        worker.sleep, worker.provider = mine


@dataclass
class HeldUpInTheCall:
    held_up: HeldUp
    name: str = "resend"

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken:
        await self.held_up()
        return await self.held_up.resend.send(payload, idempotency_key)


async def test_a_confirmation_whose_turn_comes_after_the_cancellation_is_not_sent(
    worker: Worker, outbox: Outbox
) -> None:
    booking = await worker.booked_by()
    await worker.write(record(booking))
    worker.sleep = HeldUp(worker, cancelled(booking, 3), worker.provider)
    async with worker.unit_of_work() as work:
        await worker.sending.pace.pause(work, timedelta(seconds=2))  # there is a turn to wait for
    await worker.write(*await worker.queued(booking.key))
    assert await worker.states(booking) == {"booking-confirmed": "superseded", "booking-cancelled": "sent"}
    assert [mail["tags"][1]["value"] for mail in outbox.mails(booking.booking_id)] == ["booking-cancelled"]
    assert (await worker.stored(booking)).under_way_until is None


async def test_a_mail_that_went_out_is_sent_whatever_was_decided_meanwhile(worker: Worker, outbox: Outbox) -> None:
    """Held up between the last look and Resend's door, where nothing can stop it: it is recorded as what it is."""
    booking = await worker.booked_by()
    await worker.write(record(booking))
    worker.provider = HeldUpInTheCall(HeldUp(worker, cancelled(booking, 3), worker.provider))
    await worker.write(*await worker.queued(booking.key))
    assert len(outbox.mails(booking.booking_id)) == 2
    assert await worker.states(booking) == {"booking-confirmed": "sent", "booking-cancelled": "sent"}
    assert [row["type"] for row in await worker.published(booking)].count("notification.sent.v1") == 2


async def test_a_try_that_fails_leaves_a_later_one_of_the_same_mail_alone(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.write(record(booking))
    email_id, pace, call = (await worker.stored(booking)).id, worker.sending.pace, timedelta(seconds=10)
    async with worker.unit_of_work() as work:
        first = await begin_try(work, email_id, pace, call)
    async with worker.unit_of_work() as work:
        second = await begin_try(work, email_id, pace, call)
    async with worker.unit_of_work() as work:
        await end_try(work, first, NotTaken("nobody listened"), pace)
    stored = await worker.stored(booking)
    assert (stored.under_way_until, stored.unsure_since is None) == (second.until, False)
    with pytest.raises(CopyUnderWay):
        async with worker.unit_of_work() as work:
            await go_on(work, first, pace)


@pytest.mark.parametrize("mishap", ["address", "template"])
async def test_a_cancellation_that_cannot_be_written_stops_the_confirmation_all_the_same(
    worker: Worker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, mishap: str
) -> None:
    booking = await worker.booked_by()
    await worker.write(record(booking))
    if mishap == "address":
        await worker.handle(record(a_profile(user_id=booking.user_id, email="a b@example.com", version=2)))
    else:
        monkeypatch.setitem(letters.LETTERS, Kind.BOOKING_CANCELLED, lambda _, __: Letter(Surface.CLAY, ("no_such",)))
    await worker.handle(record(cancelled(booking, 3)))
    assert await worker.states(booking) == {"booking-confirmed": "superseded", "booking-cancelled": "refused"}
    assert outbox.mails(booking.booking_id) == []
    assert worker.routed_on.topics == []


async def test_nobody_is_asked_to_pay_for_a_moved_hold_that_is_over(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    over = {"status": "held", "hold_expires_at": datetime.now(UTC) - timedelta(minutes=30)}
    await worker.handle(record(BookingRescheduled(**moved(booking).model_dump() | over)))
    assert await worker.states(booking) == {"booking-rescheduled": "expired"}
    assert outbox.mails(booking.booking_id) == []


async def test_a_cancellation_that_meets_the_confirmation_being_written_takes_it_back(
    worker: Worker, outbox: Outbox
) -> None:
    """The confirmation comes from a retry tier, beside the cancellation of the main topic."""
    booking = await worker.booked_by()
    writing = Writing(letterhead_of(worker.settings))

    async def cancel() -> None:
        async with worker.unit_of_work() as work:
            await writing.tell_of_end(work, cancelled(booking, 3))

    async with worker.unit_of_work() as work:
        await writing.tell(work, booking)
        cancelling = asyncio.create_task(cancel())
        async with asyncio.timeout(60):
            while not await waits_for_a_lock(worker, cancelling):  # noqa: ASYNC110 - the database brings it about
                await asyncio.sleep(0.02)
    await cancelling
    assert calendar_of((await worker.stored(booking, "booking-cancelled")).payload)["method"] == "CANCEL"


async def waits_for_a_lock(worker: Worker, waiting: asyncio.Task[None]) -> bool:
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with worker.unit_of_work() as work:
        return waiting.done() or bool(await work.session.scalar(query))


async def test_a_payment_that_comes_back_leaves_the_confirmation_true(worker: Worker, outbox: Outbox) -> None:
    """Paid twice: the second payment is owed back, and the booking stands."""
    booking = await worker.booked_by()
    await worker.write(record(booking))
    due = {"order_id": ORDER_ID, "amount_minor": 3600, "reason": "paid_twice"}
    await worker.write(record(BookingRefundDue(**booking.model_dump() | {"version": 3, "refunds_due": [due]})))
    await worker.handle(record(booking))
    assert await worker.states(booking) == {"booking-confirmed": "sent"}


async def test_nobody_is_asked_to_pay_for_a_hold_that_is_over(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.handle(record(held(booking, ends=datetime.now(UTC) - timedelta(seconds=1))))
    assert await worker.states(booking) == {"booking-held": "expired"}
    over = BookingExpired(**booking.model_dump() | {"status": "expired", "hold_expires_at": booking.starts_at})
    await worker.handle(record(over))
    assert await worker.states(booking) == {"booking-held": "expired", "booking-expired": "sent"}
    assert len(outbox.mails(booking.booking_id)) == 1


async def test_rain_is_told_as_the_club_says_it(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by(locale="en-GB")
    await worker.handle(record(booking))
    await worker.handle(record(cancelled(booking, 3, cancelled_by="club", reason="Rain <3")))
    mail = next(mail for mail in outbox.mails(booking.booking_id) if mail["subject"].startswith("Called off"))
    assert "What the club says\nRain <3\n" in mail["text"]
    assert "Rain &lt;3" in mail["html"]
    assert "You get €36.00 back" in mail["text"]


async def test_a_refund_that_fails_is_told_to_the_staff_alone(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by(email="alba@example.com")
    await worker.handle(record(cancelled(booking)))
    failed = PaymentRefundFailed(**refund(booking), failed_at=datetime.now(UTC), failure="The card's bank refused it")
    await worker.handle(record(failed))
    await worker.handle(record(failed))  # another copy of the same refund's failure
    (mail,) = [mail for mail in outbox.mails(booking.booking_id) if mail["to"] == [worker.settings.staff_address]]
    assert mail["subject"].startswith("Refund failed: €36.00")
    assert "The card's bank refused it" in mail["text"]
    assert "alba@" not in mail["text"] + mail["html"]
    assert (await worker.stored(booking, "refund-failed")).user_id is None


async def test_money_that_comes_before_its_booking_waits_for_it(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    paid_back = PaymentRefunded(**refund(booking), refunded_at=datetime.now(UTC))
    await worker.handle(record(paid_back))
    assert worker.routed_on.topics == ["notifications.retry.5s"]
    await worker.handle(record(cancelled(booking)))
    await worker.handle(record(paid_back))
    assert (await worker.states(booking))["refund-done"] == "sent"


async def test_two_refunds_of_one_booking_are_two_mails(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.handle(record(cancelled(booking)))
    for _ in range(2):
        await worker.handle(record(PaymentRefunded(**refund(booking), refunded_at=datetime.now(UTC))))
    assert [UUID(mail["idempotency_key"]).version for mail in outbox.mails(booking.booking_id)] == [7, 7, 7]
