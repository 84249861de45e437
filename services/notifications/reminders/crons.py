"""Clock in: players are reminded of tomorrow's game."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings import mutations as bookings
from services.notifications.bookings.queries import to_remind_of
from services.notifications.emails.domain import Kind, Story
from services.notifications.emails.writing import AddressNotUsable, Letterhead, RecipientUnknown, write

AHEAD = timedelta(hours=24)
BATCH = 100


async def remind(work: UnitOfWork, letterhead: Letterhead) -> int:
    """One batch of games that start within a day, the soonest first: each is reminded of once for each start that it has had.

    It asks for all that is due by now, so what an outage left is caught up with, and for nothing that has begun. Between writing and
    sending the booking may still change: then the reminder is old news, or too late, and is not sent.
    """
    due = await to_remind_of(work.session, work.now, AHEAD, BATCH)
    for booking in due:
        story = Story(kind=Kind.BOOKING_REMINDER, booking=booking)
        # Without a profile, or a usable address, their earlier mails wait or are dead letters: a reminder would only repeat that.
        with suppress(RecipientUnknown, AddressNotUsable):
            await write(work, story, letterhead)
        await bookings.mark_reminded(work, booking.booking_id, booking.starts_at)
    return len(due)
