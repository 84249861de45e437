"""One mail for one confirmed booking, whatever happens on the way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import update

from courtside_contracts.notification import NotificationSent
from services.chassis.retrying import Fatal, Transient
from services.notifications.emails import mutations
from services.notifications.emails.actions import Resend
from services.notifications.emails.mutations import AddressNotUsable, RecipientUnknown
from services.notifications.emails.tables import Email
from tests.integration.notifications.provider import KEY, Killed, KilledAfterAccept, Outbox
from tests.integration.notifications.worker import Worker, record
from tests.programs import free_port
from tests.unit.notifications.builders import a_booking, a_profile


async def test_a_confirmed_booking_is_mailed_and_told_of(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by(email="alba@example.com", locale="es")
    await worker.handle(record(booking))

    (mail,) = outbox.mails(booking.booking_id)
    assert mail["to"] == ["alba@example.com"]
    assert mail["subject"] == "Reserva confirmada: Pista 3, sábado, 14 de noviembre de 2026, 18:00"
    email = await worker.stored(booking)
    assert (email.state, email.provider_id) == ("sent", mail["id"])
    assert mail["idempotency_key"] == str(email.id)

    (told,) = await worker.published(booking)
    assert (told["topic"], told["type"]) == ("notification.events", "notification.sent.v1")
    event = NotificationSent.model_validate_json(told["payload"])
    assert (event.email_id, event.provider_id, event.kind) == (email.id, mail["id"], "booking-confirmed")
    assert b"alba@" not in told["payload"]


async def test_a_profile_in_the_same_batch_is_known_in_time(worker: Worker, outbox: Outbox) -> None:
    booking = a_booking(booking_id=uuid4(), user_id=uuid4())
    await worker.handle(record(booking), record(a_profile(user_id=booking.user_id)))
    assert len(outbox.mails(booking.booking_id)) == 1


async def test_five_copies_at_once_are_one_mail(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    copy = record(booking)
    await asyncio.gather(*(worker.handle(copy) for _ in range(5)))
    assert set(worker.routed_on.topics) <= {"notifications.retry.5s"}  # those that met the first one at Resend's door

    for _ in worker.routed_on.topics:
        await worker.handle(copy)
    assert len(outbox.mails(booking.booking_id)) == 1
    assert len(await worker.published(booking)) == 1


async def test_a_copy_under_another_id_is_no_second_mail(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.handle(record(booking))
    await worker.handle(record(booking))
    assert len(outbox.requests(booking.booking_id)) == 1
    assert len(await worker.published(booking)) == 1


async def test_killed_between_the_providers_yes_and_our_mark(worker: Worker, outbox: Outbox) -> None:
    """The retry sends the very bytes under the same key, although the player has changed address meanwhile."""
    booking = await worker.booked_by(email="old@example.com")
    resend, worker.provider = worker.provider, KilledAfterAccept(worker.provider)
    with pytest.raises(Killed):
        await worker.confirm(booking)
    assert (await worker.stored(booking)).state == "queued"
    assert len(outbox.mails(booking.booking_id)) == 1

    worker.provider = resend
    await worker.handle(record(a_profile(user_id=booking.user_id, email="new@example.com", version=2)))
    await worker.handle(record(booking))
    (mail,) = outbox.mails(booking.booking_id)
    email = await worker.stored(booking)
    assert (email.state, email.provider_id) == ("sent", mail["id"])
    first, second = outbox.requests(booking.booking_id)
    assert first == second
    assert len(await worker.published(booking)) == 1


async def test_too_many_requests_are_tried_again_when_resend_says(worker: Worker, strict_outbox: Outbox) -> None:
    worker.provider = Resend(strict_outbox.url, SecretStr(KEY))
    first, second = await worker.booked_by(), await worker.booked_by()
    await worker.confirm(first)
    with pytest.raises(Transient, match="rate_limit_exceeded") as refused:
        await worker.confirm(second)
    assert refused.value.retry_after == timedelta(seconds=1)
    assert (await worker.stored(second)).state == "queued"
    await worker.provider.close()


async def test_a_booking_of_an_unknown_player_waits_for_the_profile(worker: Worker, outbox: Outbox) -> None:
    booking = a_booking(booking_id=uuid4(), user_id=uuid4())
    with pytest.raises(RecipientUnknown):
        await worker.confirm(booking)
    await worker.handle(record(booking))
    assert worker.routed_on.topics == ["notifications.retry.5s"]
    assert outbox.requests(booking.booking_id) == []


async def test_resend_is_down_and_comes_back(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    worker.provider = down = Resend(f"http://127.0.0.1:{free_port()}", SecretStr(KEY))
    with pytest.raises(Transient, match="HttpClientError"):
        await worker.confirm(booking)
    email = await worker.stored(booking)
    assert (email.state, email.first_tried_at is not None) == ("queued", True)
    await down.close()

    worker.provider = up = Resend(outbox.url, SecretStr(KEY))
    await worker.handle(record(booking))
    assert (await worker.stored(booking)).state == "sent"
    assert [key for key, _ in outbox.requests(booking.booking_id)] == [str(email.id)]
    await up.close()


async def test_a_key_that_resend_refuses_is_an_alarm(worker: Worker, outbox: Outbox) -> None:
    worker.provider = Resend(outbox.url, SecretStr("re_of_another"))
    with pytest.raises(Fatal, match="ALERT"):
        await worker.confirm(await worker.booked_by())
    await worker.provider.close()


async def test_a_day_old_try_of_unknown_outcome_is_not_repeated(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    resend, worker.provider = worker.provider, KilledAfterAccept(worker.provider)
    with pytest.raises(Killed):
        await worker.confirm(booking)
    async with worker.unit_of_work() as work:
        ours = update(Email).where(Email.booking_id == booking.booking_id)
        await work.session.execute(ours.values(first_tried_at=Email.first_tried_at - timedelta(hours=23, minutes=1)))

    worker.provider = resend
    await worker.handle(record(booking))
    assert (await worker.stored(booking)).state == "unknown"
    assert len(outbox.requests(booking.booking_id)) == 1
    assert worker.routed_on.topics == []
    assert await worker.published(booking) == []


async def test_a_hostile_name_is_only_a_name(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by(name="<script>alert(1)</script>\r\nBcc: all@example.com", locale="en")
    hostile = booking.model_copy(update={"court_name": "1\r\nBcc: all@example.com"})
    await worker.handle(record(hostile))
    (mail,) = outbox.mails(booking.booking_id)
    assert "<script>" not in mail["html"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; Bcc: all@example.com" in mail["html"]
    assert mail["subject"].splitlines() == [mail["subject"]]
    assert (mail["to"], mail["bcc"]) == (["alba@example.com"], [])


@pytest.mark.parametrize("email", ["a@example.com, b@example.com", "a@example.com\r\nBcc: b@example.com", "nobody"])
async def test_an_address_that_is_not_one_goes_to_a_person(worker: Worker, outbox: Outbox, email: str) -> None:
    booking = await worker.booked_by(email=email)
    with pytest.raises(AddressNotUsable):
        await worker.confirm(booking)
    await worker.handle(record(booking))
    assert worker.routed_on.topics == ["notifications.dlt"]
    assert outbox.requests(booking.booking_id) == []


async def test_all_workers_keep_one_pace(worker: Worker) -> None:
    """Ten turns taken at once by independent transactions are ten places, 200 ms apart."""
    provider = str(uuid4())

    async def turn() -> float:
        async with worker.unit_of_work() as work:
            return await mutations.take_turn(work, provider, per_second=5)

    waits = sorted(await asyncio.gather(*(turn() for _ in range(10))))
    assert waits[0] == 0
    assert waits == pytest.approx([place * 0.2 for place in range(10)], abs=0.15)
