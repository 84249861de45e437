"""One mail for one confirmed booking, whatever happens on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr
from resend.exceptions import ResendError
from sqlalchemy import delete, update
from structlog.testing import capture_logs

from courtside_contracts.notification import NotificationSent
from services.chassis.breaker import STATE
from services.chassis.retrying import NotTried, Transient
from services.notifications.emails.actions import NotTaken, Resend, Taken, classify
from services.notifications.emails.mutations import give_up
from services.notifications.emails.pace import Pace
from services.notifications.emails.tables import Email, ProviderTurn
from tests.integration.notifications.conftest import standin
from tests.integration.notifications.provider import KEY, Killed, KilledAfterAccept, Outbox
from tests.integration.notifications.test_reports import report
from tests.integration.notifications.worker import Worker, record
from tests.ports import free_port
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


async def test_a_mail_that_went_with_a_restored_database_is_passed_over(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    await worker.write(record(booking))
    async with worker.unit_of_work() as work:
        await work.session.execute(delete(Email).where(Email.booking_id == booking.booking_id))
    with capture_logs() as lines:
        await worker.write(*await worker.queued(booking.key))
    assert [line["event"] for line in lines] == ["no such mail: was the database restored?"]
    assert worker.routed_on.topics == []
    assert outbox.mails(booking.booking_id) == []


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
    """Somebody else used up what the account may ask in this second."""
    worker.provider = Resend(strict_outbox.url, SecretStr(KEY))
    booking = await worker.booked_by()
    await worker.write(record(booking))
    strict_outbox.use_up_the_limit()
    with pytest.raises(NotTried, match="rate_limit_exceeded") as refused:
        await worker.send(booking)
    assert refused.value.retry_after == timedelta(seconds=1)
    email = await worker.stored(booking)
    assert (email.state, email.unsure_since, email.under_way_until) == ("queued", None, None)
    await worker.provider.close()


async def test_a_limit_that_is_reached_is_waited_for_not_run_into(worker: Worker, strict_outbox: Outbox) -> None:
    """One request a second, though our own pace would be a thousand: Resend says how many are left."""
    worker.provider = Resend(strict_outbox.url, SecretStr(KEY))
    bookings = [await worker.booked_by() for _ in range(3)]
    for booking in bookings:
        await worker.handle(record(booking))
    assert [await worker.states(booking) for booking in bookings] == [{"booking-confirmed": "sent"}] * 3
    assert worker.routed_on.topics == []
    await worker.provider.close()


async def test_a_used_up_quota_parks_all_mails_until_it_is_renewed(worker: Worker, tmp_path: Path) -> None:
    first, second, third = [await worker.booked_by() for _ in range(3)]
    with standin(tmp_path, rate_per_s=0) as outbox:
        outbox.tell("/_admin/limits", {"daily_quota": 1})
        worker.provider = resend = Resend(outbox.url, SecretStr(KEY))
        resend.name = "resend with a quota"  # whose turns no other test waits for
        for booking in (first, second, third):
            await worker.handle(record(booking))
        assert len(outbox.requests_log()) == 2  # of the third nothing was asked
        assert worker.routed_on.topics == ["notifications.retry.1h", "notifications.retry.10m"]
        assert (await worker.stored(second)).unsure_since is None

        outbox.tell("/_admin/clock", {"advance_s": timedelta(days=1).total_seconds()})
        async with worker.unit_of_work() as work:
            await work.session.execute(delete(ProviderTurn).where(ProviderTurn.provider == resend.name))
        outbox.tell("/_admin/limits", {"daily_quota": 2})
        for booking in (second, third):
            await worker.handle(record(booking))
        assert [(await worker.stored(booking)).state for booking in (first, second, third)] == ["sent"] * 3
        await resend.close()


async def test_a_booking_of_an_unknown_player_waits_for_the_profile(worker: Worker, outbox: Outbox) -> None:
    booking = a_booking(booking_id=uuid4(), user_id=uuid4())
    await worker.handle(record(booking))
    assert worker.routed_on.topics == ["notifications.retry.5s"]
    assert worker.routed_on.errors == [f"the profile of user {booking.user_id} has not arrived yet"]
    assert outbox.requests(booking.booking_id) == []


async def test_resend_is_down_and_comes_back(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    worker.provider = down = Resend(f"http://127.0.0.1:{free_port()}", SecretStr(KEY))
    with pytest.raises(NotTaken, match="HttpClientError"):
        await worker.confirm(booking)
    email = await worker.stored(booking)
    assert (email.state, email.unsure_since) == ("queued", None)  # nobody listened: it surely did not go out
    await down.close()

    worker.provider = up = Resend(outbox.url, SecretStr(KEY))
    await worker.handle(record(booking))
    assert (await worker.stored(booking)).state == "sent"
    assert [key for key, _ in outbox.requests(booking.booking_id)] == [str(email.id)]
    await up.close()


async def test_a_key_that_resend_refuses_is_an_alarm_and_costs_no_mail(worker: Worker, outbox: Outbox) -> None:
    """It is not the mail's fault: all of them wait until the key is mended, however long that takes."""
    booking = await worker.booked_by()
    worker.provider = refused = Resend(outbox.url, SecretStr("re_of_another"))
    with capture_logs() as logged:
        await worker.handle(record(booking))
    assert "error" in [line["log_level"] for line in logged if line["event"].startswith("ALERT")]
    assert worker.routed_on.topics == ["notifications.retry.1m"]
    await refused.close()

    worker.provider = mended = Resend(outbox.url, SecretStr(KEY))
    await worker.handle(record(booking))
    assert (await worker.stored(booking)).state == "sent"
    await mended.close()


async def test_a_day_old_try_of_unknown_outcome_is_not_repeated(worker: Worker, outbox: Outbox) -> None:
    booking = await worker.booked_by()
    resend, worker.provider = worker.provider, KilledAfterAccept(worker.provider)
    with pytest.raises(Killed):
        await worker.confirm(booking)
    async with worker.unit_of_work() as work:
        ours = update(Email).where(Email.booking_id == booking.booking_id)
        await work.session.execute(ours.values(unsure_since=Email.unsure_since - timedelta(hours=23, minutes=1)))

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


async def test_a_mail_that_nobody_tries_any_more_is_of_unknown_outcome(worker: Worker, outbox: Outbox) -> None:
    """Its record came to the end of the ladder, three hours before the key is forgotten."""
    lost, tried = [await worker.booked_by() for _ in range(2)]
    worker.provider = KilledAfterAccept(worker.provider)
    for booking in (lost, tried):
        with pytest.raises(Killed):
            await worker.confirm(booking)
    async with worker.unit_of_work() as work:
        ours = update(Email).where(Email.booking_id == lost.booking_id)
        await work.session.execute(ours.values(unsure_since=Email.unsure_since - timedelta(hours=23, minutes=1)))
    async with worker.unit_of_work() as work:
        assert await give_up(work) >= 1
    assert [(await worker.stored(booking)).state for booking in (lost, tried)] == ["unknown", "queued"]


async def test_no_mail_goes_to_an_address_that_complained_while_it_waited(worker: Worker, outbox: Outbox) -> None:
    first = await worker.booked_by(email=f"{uuid4()}@example.com")
    await worker.handle(record(first))
    second = a_booking(booking_id=uuid4(), user_id=first.user_id)
    await worker.write(record(second))
    await report(worker, first, "complained")
    for each in await worker.queued(second.key):
        await worker.write(each)
    assert await worker.states(second) == {"booking-confirmed": "suppressed"}
    assert [told["type"] for told in await worker.published(second)] == ["notification.failed.v1"]
    assert outbox.requests(second.booking_id) == []


async def test_another_mail_under_its_key_is_an_alarm_and_leaves_what_is_known(worker: Worker, outbox: Outbox) -> None:
    delivered, unsure = [await worker.booked_by() for _ in range(2)]
    for booking in (delivered, unsure):
        await worker.write(record(booking))
    worker.provider = conflict = Conflict(partial(report, worker, delivered, "delivered"))
    with capture_logs() as logged:
        for booking in (delivered, unsure):
            await worker.write(*await worker.queued(booking.key))
    alarms = [line["event"] for line in logged if line["event"].startswith("ALERT")]
    assert alarms == ["ALERT: another mail went out under the key of this one"] * 2
    assert conflict.calls == 2
    assert [(await worker.stored(booking)).state for booking in (delivered, unsure)] == ["delivered", "unknown"]


@dataclass
class Conflict:
    """Resend, with another mail under the key, and faster webhooks than answers."""

    meanwhile: Callable[[], Awaitable[None]]
    calls: int = 0
    name: str = "resend"

    async def send(self, *_: object) -> Taken:
        if not self.calls:
            await self.meanwhile()
        self.calls += 1
        raise classify(ResendError(409, "invalid_idempotent_request", "another payload", "", {}))


async def test_an_earlier_request_that_still_runs_is_no_outage_of_resend(worker: Worker, tmp_path: Path) -> None:
    booking = await worker.booked_by()
    await worker.write(record(booking))
    with standin(tmp_path, rate_per_s=0) as outbox:
        fault = {"action": "refuse", "name": "concurrent_idempotent_requests", "times": 1}
        outbox.tell("/_admin/faults", {"match": {"method": "POST", "path": "/emails"}} | fault)
        worker.provider = resend = Resend(outbox.url, SecretStr(KEY))
        resend.breaker.failures_to_open = 1
        with pytest.raises(Transient, match="concurrent_idempotent_requests"):
            await worker.send(booking)
        await worker.send(booking)
        assert (await worker.stored(booking)).state == "sent"
        with resend.breaker.admission():
            assert STATE.labels(resend.name)._value.get() == 0
        await resend.close()


@pytest.mark.parametrize("email", ["a@example.com, b@example.com", "a@example.com\r\nBcc: b@example.com", "nobody"])
async def test_an_address_that_is_not_one_is_left_to_a_person(worker: Worker, outbox: Outbox, email: str) -> None:
    booking = await worker.booked_by(email=email)
    with capture_logs() as logged:
        await worker.handle(record(booking))
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["ALERT: a mail cannot be written"]
    stored = await worker.stored(booking)
    assert (stored.state, stored.state_reason, stored.payload) == ("refused", "AddressNotUsable", {})
    assert [told["type"] for told in await worker.published(booking)] == ["notification.failed.v1"]
    assert outbox.requests(booking.booking_id) == []


async def test_all_workers_keep_one_pace(worker: Worker) -> None:
    """Ten turns taken at once by independent transactions are ten places, 200 ms apart."""
    pace = Pace(str(uuid4()), per_second=5)

    async def turn() -> datetime:
        async with worker.unit_of_work() as work:
            await pace.take_turn(work)
            return (await work.session.get_one(ProviderTurn, pace.provider)).last_at

    places = sorted(await asyncio.gather(*(turn() for _ in range(10))))
    assert min(later - place for place, later in pairwise(places)) >= timedelta(seconds=0.2)


async def test_a_quota_that_is_used_up_stops_those_whose_turn_was_near(worker: Worker) -> None:
    """Ten mails have their turns, two a second, when the first one is told to come back in an hour."""
    worker.provider = resend = UsedUp(str(uuid4()))
    worker.settings = worker.settings.model_copy(update={"resend_per_second": 2.0})
    bookings = [await worker.booked_by() for _ in range(10)]
    for booking in bookings:
        await worker.write(record(booking))
    await worker.write(*[each for booking in bookings for each in await worker.queued(booking.key)])
    assert resend.calls == 1
    assert worker.routed_on.topics == ["notifications.retry.1h", *["notifications.retry.10m"] * 9]
    found = [await worker.stored(booking) for booking in bookings]
    assert {(email.state, email.unsure_since, email.under_way_until) for email in found} == {("queued", None, None)}


@dataclass
class UsedUp:
    name: str
    calls: int = 0

    async def send(self, *_: object) -> Taken:
        self.calls += 1
        raise NotTried("daily_quota_exceeded", timedelta(hours=1))


async def test_a_provider_that_wants_to_be_left_alone_is_left_alone_by_all_workers(worker: Worker) -> None:
    pace = Pace(str(uuid4()), per_second=5)
    async with worker.unit_of_work() as work:
        await pace.pause(work, timedelta(seconds=3))
    async with worker.unit_of_work() as work:
        assert timedelta(seconds=1) < await pace.take_turn(work) < timedelta(seconds=4)
        await pace.pause(work, timedelta(minutes=40))
        await pace.pause(work, timedelta(seconds=1))
    async with worker.unit_of_work() as work:
        with pytest.raises(NotTried) as put_off:
            await pace.take_turn(work)
    assert put_off.value.retry_after is not None
    assert timedelta(minutes=38) < put_off.value.retry_after <= timedelta(minutes=40)
