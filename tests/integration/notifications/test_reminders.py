"""Players are reminded of tomorrow's game: once, in time, and never of a game that is off."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from courtside_contracts.booking import BookingCancelled, BookingConfirmed, BookingRescheduled
from services.notifications.app import letterhead_of
from services.notifications.emails import rendering
from services.notifications.emails.domain import Story
from services.notifications.emails.rendering import Mail
from services.notifications.recipients.queries import Recipient
from services.notifications.reminders.crons import remind
from tests.integration.notifications.provider import Outbox
from tests.integration.notifications.test_news import cancelled
from tests.integration.notifications.worker import Worker, record, tombstone

SATURDAY = datetime(2031, 11, 15, 17, tzinfo=UTC)
"""Of another year for each test: the cron asks for all that is due."""
HOUR = timedelta(hours=1)


@dataclasses.dataclass
class Set:
    """A clock that stands where a test puts it."""

    at: datetime

    def now(self) -> datetime:
        return self.at


@dataclasses.dataclass
class Club:
    """The worker with its clock in our hands, on a Saturday that no other test uses."""

    worker: Worker
    starts_at: datetime
    clock: Set

    async def booked(self, **profile: Any) -> BookingConfirmed:
        booking = (await self.worker.booked_by(**profile)).model_copy(
            update={"starts_at": self.starts_at, "ends_at": self.starts_at + HOUR}
        )
        await self.worker.handle(record(booking))
        return booking

    async def remind(self, before: timedelta) -> int:
        """What the cron does at that time before the game."""
        self.clock.at = self.starts_at - before
        async with self.worker.unit_of_work() as work:
            return await remind(work, letterhead_of(self.worker.settings))

    async def deliver(self, booking: BookingConfirmed) -> None:
        for each in await self.worker.queued(booking.key):
            await self.worker.write(each)

    async def state(self, booking: BookingConfirmed) -> str | None:
        return (await self.worker.states(booking)).get("booking-reminder")


@pytest.fixture
async def club(worker: Worker, request: pytest.FixtureRequest) -> Club:
    names = sorted(name for name in globals() if name.startswith("test_"))
    starts_at = SATURDAY + timedelta(days=7 * names.index(request.node.name))
    clock = Set(starts_at - timedelta(days=5))
    worker.unit_of_work = dataclasses.replace(worker.unit_of_work, clock=clock)
    return Club(worker, starts_at, clock)


async def test_a_day_before_the_game_its_player_is_reminded_once(club: Club, outbox: Outbox) -> None:
    booking = await club.booked(locale="en-GB")
    assert await club.remind(before=25 * HOUR) == 0
    assert await club.remind(before=24 * HOUR) == 1
    assert await club.remind(before=23 * HOUR) == 0
    await club.deliver(booking)
    mail = outbox.mails(booking.booking_id)[-1]
    assert mail["subject"].startswith("Your game: Pista 3, Saturday")
    assert await club.state(booking) == "sent"


async def test_an_outage_of_a_night_is_caught_up_with(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    assert await club.remind(before=2 * HOUR) == 1
    await club.deliver(booking)
    assert await club.state(booking) == "sent"


async def test_nobody_is_reminded_of_a_game_that_has_begun(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    assert await club.remind(before=0 * HOUR) == 0
    assert await club.state(booking) is None


async def test_a_reminder_that_was_held_up_until_the_game_began_is_not_sent(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    assert await club.remind(before=HOUR) == 1
    club.clock.at = club.starts_at
    await club.deliver(booking)
    assert await club.state(booking) == "expired"
    assert len(outbox.mails(booking.booking_id)) == 1  # the confirmation


async def test_a_cancelled_game_is_not_reminded_of(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    await club.worker.write(record(cancelled(booking, 3)))
    assert await club.remind(before=20 * HOUR) == 0


async def test_a_reminder_that_waits_while_the_game_is_cancelled_is_not_sent(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    assert await club.remind(before=20 * HOUR) == 1
    await club.worker.write(record(BookingCancelled.model_validate(cancelled(booking, 3).model_dump())))
    await club.deliver(booking)
    assert await club.state(booking) == "superseded"


async def test_a_moved_game_is_reminded_of_at_its_new_time_alone(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    later = {"starts_at": club.starts_at + 72 * HOUR, "ends_at": club.starts_at + 73 * HOUR}
    previous = {"previous_court_id": booking.court_id, "previous_starts_at": booking.starts_at}
    facts = booking.model_dump() | later | previous
    await club.worker.write(record(BookingRescheduled(**facts | {"version": 3, "price_difference_minor": 0})))
    assert await club.remind(before=20 * HOUR) == 0
    assert await club.remind(before=-50 * HOUR) == 1  # 22 hours before the new start
    await club.deliver(booking)
    assert await club.state(booking) == "sent"


async def test_who_books_for_today_has_just_read_it_all(club: Club, outbox: Outbox) -> None:
    club.clock.at = club.starts_at - 3 * HOUR
    booking = await club.booked()
    assert await club.remind(before=2 * HOUR) == 0
    assert await club.state(booking) is None


async def test_a_reminder_that_cannot_be_written_holds_up_no_other(
    club: Club, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await club.booked(name="Nobody can write this"), await club.booked()
    render = rendering.render

    def failing(story: Story, to: Recipient, *rest: Any) -> Mail:
        if to.name == "Nobody can write this":
            raise KeyError("no_such_phrase")
        return render(story, to, *rest)

    monkeypatch.setattr(rendering, "render", failing)
    assert await club.remind(before=20 * HOUR) == 2
    assert [await club.state(booking) for booking in (first, second)] == ["refused", "queued"]


async def test_an_erased_player_is_passed_over(club: Club, outbox: Outbox) -> None:
    booking = await club.booked()
    await club.worker.write(tombstone(booking.user_id))
    assert await club.remind(before=20 * HOUR) == 1
    assert await club.remind(before=19 * HOUR) == 0
    assert await club.state(booking) == "dropped"
