"""Whatever goes wrong on the way, each mail is there once: two thousand bookings through faults and kills, and an outage of two hours."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import TopicPartition
from pydantic import SecretStr
from sqlalchemy import text, update

from courtside_contracts.booking import BookingConfirmed
from courtside_contracts.user import UserProfile
from services.chassis.clock import DatabaseClock
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.notifications.emails.actions import Resend
from services.notifications.emails.tables import Email
from services.notifications.emails.writing import Letterhead
from services.notifications.recipients.queries import Recipient
from services.notifications.reminders.crons import remind
from services.notifications.settings import LOCAL_SENDER, LOCAL_STAFF
from tests.integration.notifications.conftest import standin
from tests.integration.notifications.desk import Desk
from tests.integration.notifications.mailer import Mailers, Place, mailers
from tests.integration.notifications.provider import KEY, Outbox
from tests.integration.notifications.test_news import cancelled, held
from tests.integration.notifications.worker import record
from tests.unit.notifications.builders import a_booking, a_profile

BOOKINGS, PLAYERS = 2_000, 100
KILL_EVERY_SECONDS = 10.0
KILLS, MAILS_PER_SECOND = 3, 50
"""Forty seconds of work at the least, so that there are processes to kill; with faults, kills and rejoining it is some minutes."""
SEND = {"method": "POST", "path": "/emails"}
STORMS: tuple[dict[str, Any], ...] = tuple(
    {"match": SEND, "action": "refuse", "name": "rate_limit_exceeded", "retry_after_s": 1, "skip": skip, "times": 40}
    for skip in (200, 900, 1_600)
)
FAULTS: tuple[dict[str, Any], ...] = (
    *STORMS,
    {"match": SEND, "action": "accept_then_timeout", "probability": 0.05, "seed": 1},
    {"match": SEND, "action": "status", "code": 500, "probability": 0.05, "seed": 2},
)


def booked(count: int, players: int) -> tuple[list[UserProfile], list[BookingConfirmed]]:
    profiles = [a_profile(user_id=uuid4()) for _ in range(players)]
    ids = (profiles[number % players].user_id for number in range(count))
    return profiles, [a_booking(booking_id=uuid4(), user_id=user_id) for user_id in ids]


@pytest.fixture(scope="module")
async def storm(place: Place, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mailers]:
    """Two thousand confirmed bookings, and all their mails gone out, through every fault at once."""
    with standin(tmp_path_factory.mktemp("storm"), rate_per_s=0, latency_s=0.01) as outbox:
        for fault in FAULTS:
            outbox.tell("/_admin/faults", fault)
        settings = {"RESEND_PER_SECOND": str(MAILS_PER_SECOND), "RESEND_CALL_SECONDS": "1"}
        async with mailers(place, outbox, **settings) as found:
            profiles, bookings = booked(BOOKINGS, PLAYERS)
            await found.start()
            await found.put([*profiles, *bookings])
            killing = asyncio.create_task(kill_again_and_again(found))
            try:
                await found.until(lambda: found.all_sent(BOOKINGS))
            finally:
                killing.cancel()
                with suppress(asyncio.CancelledError):
                    await killing
            assert found.kills >= KILLS, "the storm was over too soon"
            if not found.stack.processes.running("mailer"):  # it was killed a moment ago
                await found.start()
            yield found


async def kill_again_and_again(found: Mailers) -> None:
    """Each process works for ten seconds: counted from its first mail, since the broker misses a dead one only after a while."""
    while True:
        before = await found.sent()
        await found.until(partial(found.has_sent_more_than, before))
        await asyncio.sleep(KILL_EVERY_SECONDS)
        await found.stack.kill("mailer")
        found.kills += 1
        await found.start()


def mails_by_booking(outbox: Outbox) -> Counter[str]:
    found = [{tag["name"]: tag["value"] for tag in mail["tags"]} for mail in outbox.all_mails()]
    return Counter(tags["booking_id"] for tags in found)


@pytest.mark.slow
@pytest.mark.timeout(1_000)
async def test_two_thousand_bookings_are_two_thousand_mails_through_faults_and_kills(storm: Mailers) -> None:
    found = mails_by_booking(storm.outbox)
    assert (len(found), set(found.values())) == (BOOKINGS, {1})
    struck = Counter(request["fault"] for request in storm.outbox.requests_log())
    assert struck["accept_then_timeout"] > 50
    assert struck["status"] > 50
    assert struck["refuse"] >= 100
    assert await storm.dead_letters() == 0


@pytest.mark.slow
@pytest.mark.timeout(1_000)
async def test_everything_delivered_again_is_no_new_mail(storm: Mailers) -> None:
    """The offsets of all groups are set back to zero."""
    await storm.stack.stop("mailer")
    requests = len(storm.outbox.requests_log())
    were = {group: places for group, places in (await storm.committed()).items() if places}
    assert sum(len(places) for places in were.values()) >= 6
    await storm.set_back(were)
    await storm.start()
    await storm.until(lambda: is_back(storm, were))
    assert len(storm.outbox.requests_log()) == requests
    assert await storm.states() == {"sent": BOOKINGS}
    assert sum(mails_by_booking(storm.outbox).values()) == BOOKINGS


async def is_back(found: Mailers, were: dict[str, dict[TopicPartition, int]]) -> bool:
    now = await found.committed()
    return all(now[group].get(place, 0) >= offset for group, places in were.items() for place, offset in places.items())


@pytest.mark.slow
@pytest.mark.timeout(1_000)
async def test_two_workers_keep_one_pace_together(place: Place, tmp_path: Path) -> None:
    """Twice as many workers ask no more often than the account may, and not much less: Resend refuses nothing, and nobody idles."""
    rate, count = RESENDS_DEFAULT_PER_SECOND, 75
    with standin(tmp_path, rate_per_s=rate) as outbox:
        async with mailers(place, outbox, RESEND_PER_SECOND=str(rate)) as found:
            await asyncio.gather(found.start("mailer-one"), found.start("mailer-two"))
            profiles, bookings = booked(count, 10)
            await found.put([*profiles, *bookings])
            await found.until(lambda: found.all_sent(count))
            assert await found.handled("mailer-one") > 0
            assert await found.handled("mailer-two") > 0
            requests = outbox.requests_log()
            assert [request["status"] for request in requests] == [200] * count
            assert rate * 0.4 <= a_second(requests) <= rate * 1.1


RESENDS_DEFAULT_PER_SECOND = 5


def a_second(requests: list[dict[str, Any]]) -> float:
    """Requests a second, from the first to the last."""
    instants = sorted(datetime.fromisoformat(str(request["at"])) for request in requests)
    return (len(instants) - 1) / (instants[-1] - instants[0]).total_seconds()


@pytest.mark.slow
@pytest.mark.timeout(1_000)
async def test_resend_is_down_for_two_hours_and_no_mail_is_lost(place: Place, tmp_path: Path) -> None:
    """Mails that are of use for a while only among them: a hold of three hours, and a reminder of a game in twenty."""
    count, lasting = 60, timedelta(hours=3)
    with standin(tmp_path, rate_per_s=0) as outbox:
        outbox.tell("/_admin/faults", {"match": SEND, "action": "status", "code": 503, "for_s": 7_200})
        async with mailers(place, outbox, RESEND_PER_SECOND="100") as found:
            await found.start("mailer-in-an-outage")  # the storm's own still runs
            profiles, bookings = booked(count, 10)
            holds = [held(booking, ends=datetime.now(UTC) + lasting) for booking in bookings[:20]]
            tomorrow = [tomorrows(booking) for booking in bookings[20:40]]
            await found.put([*profiles, *holds, *tomorrow, *bookings[40:]])
            await found.until(lambda: is_down(found, count))
            async with UnitOfWorkFactory(found.database, DatabaseClock(), lambda: None)() as work:
                await work.session.execute(text("UPDATE bookings SET standing_since = now() - interval '3 days'"))
                assert await remind(work, LETTERHEAD) == len(tomorrow)
            outbox.tell("/_admin/clock", {"advance_s": timedelta(hours=2).total_seconds()})
            await found.until(lambda: found.all_sent(count + len(tomorrow)))
            mails = mails_by_booking(outbox)
            assert Counter(mails.values()) == {1: count - len(tomorrow), 2: len(tomorrow)}
            assert await found.dead_letters() == 0


LETTERHEAD = Letterhead(LOCAL_SENDER, Recipient(LOCAL_STAFF, "front desk", "en"))


def tomorrows(booking: BookingConfirmed) -> BookingConfirmed:
    starts_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=20)
    return booking.model_copy(update={"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=1)})


@pytest.mark.slow
@pytest.mark.timeout(1_000)
async def test_nobody_is_reminded_of_a_game_that_was_called_off_during_an_outage(place: Place, tmp_path: Path) -> None:
    """The process that starts in the morning has the night's news still to read."""
    count, others = 10, 500
    with standin(tmp_path, rate_per_s=0) as outbox:
        async with mailers(place, outbox, RESEND_PER_SECOND="500") as found:
            await found.start("mailer-of-a-night")
            profiles, bookings = booked(count, count)
            games = [tomorrows(booking) for booking in bookings]
            await found.put([*profiles, *games])
            await found.until(lambda: found.all_sent(count))
            await found.stack.stop("mailer-of-a-night")
            async with found.database.sessions() as session, session.begin():
                await session.execute(text("UPDATE bookings SET standing_since = now() - interval '3 days'"))
                await session.execute(text("DELETE FROM crons"))
            more = [a_booking(booking_id=uuid4(), user_id=profiles[number % count].user_id) for number in range(others)]
            await found.put([*more, *(cancelled(game, 3) for game in games)])
            await found.start("mailer-of-a-night")
            await found.until(lambda: has_fired(found, "remind"))
            async with found.database.sessions() as session:
                called_off = text("SELECT count(*) FROM bookings WHERE status = 'cancelled'")
                reminders = text("SELECT count(*) FROM emails WHERE kind = 'booking-reminder'")
                assert await session.scalar(called_off) == count
                assert await session.scalar(reminders) == 0


@pytest.mark.slow
async def test_a_mail_whose_answer_was_lost_before_an_outage_of_25_hours_is_not_repeated(
    desk: Desk, tmp_path: Path
) -> None:
    """Resend forgets a key after 24 hours: to ask again would be a second mail. That nobody knows of a first is shown to staff."""
    worker, booking = desk.worker, await desk.worker.booked_by()
    with standin(tmp_path, rate_per_s=0) as outbox:
        worker.provider = resend = Resend(outbox.url, SecretStr(KEY))
        outbox.tell("/_admin/faults", {"match": SEND, "action": "accept_then_reset", "times": 1})
        await worker.handle(record(booking))
        outbox.tell("/_admin/faults", {"match": SEND, "action": "status", "code": 503, "for_s": 25 * 3_600})
        await worker.handle(record(booking))
        assert (await worker.stored(booking)).state == "queued"
        asked = len(outbox.requests(booking.booking_id))
        assert asked == 2, "as long as the key is remembered it is tried again"

        outbox.tell("/_admin/clock", {"advance_s": timedelta(hours=25).total_seconds()})
        async with worker.unit_of_work() as work:
            ours = update(Email).where(Email.booking_id == booking.booking_id)
            await work.session.execute(ours.values(unsure_since=Email.unsure_since - timedelta(hours=25)))
        await worker.handle(record(booking))
        assert (await worker.stored(booking)).state == "unknown"
        assert (len(outbox.mails(booking.booking_id)), len(outbox.requests(booking.booking_id))) == (1, asked)
        await resend.close()
    answer = await desk.ask("admin-a", "GET", "/v1/emails", params={"state": "unknown", "booking_id": booking.key})
    assert [mail["booking_id"] for mail in answer.json()["items"]] == [booking.key]


async def has_fired(found: Mailers, cron: str) -> bool:
    async with found.database.sessions() as session:
        return bool(await session.scalar(text("SELECT count(*) FROM crons WHERE name = :name"), {"name": cron}))


async def is_down(found: Mailers, count: int) -> bool:
    """All are written, and enough were tried for the breaker to leave Resend alone."""
    failed = [request for request in found.outbox.requests_log() if request["status"] == 503]
    return len(failed) >= 10 and await found.states() == {"queued": count}
