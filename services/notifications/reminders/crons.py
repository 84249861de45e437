"""Clock in: players are reminded of tomorrow's game."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from courtside_contracts.topics import BOOKING_EVENTS, LADDER, USER_PROFILES
from services.chassis.lag import has_caught_up
from services.chassis.retrying import Ladder
from services.chassis.settings import Settings
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings import mutations as bookings
from services.notifications.bookings.queries import to_remind_of
from services.notifications.emails.domain import Kind, Story
from services.notifications.emails.writing import Letterhead, RecipientUnknown, write

PASSING = LADDER[:2]
"""The retry tiers of seconds and of a minute. What waits longer waits for a person or a quota: no reminder should wait for that."""
AHEAD = timedelta(hours=24)
BATCH = 100


async def has_heard_all(settings: Settings) -> bool:
    """Whether what is known of bookings and their players is what there is to know.

    After an outage the backlog tells of games that were called off meanwhile, and a process that has just started has not read it yet.
    A reminder that waits for a minute, or while no mail goes out anyway, is early enough.
    """
    prefix, ladder = settings.topic_prefix, Ladder(settings.service, PASSING)
    group, tiers = prefix + settings.service, [prefix + ladder.topic(tier) for tier in PASSING]
    read = {group: [prefix + BOOKING_EVENTS.name], f"{group}.projections": [prefix + USER_PROFILES.name]}
    return await has_caught_up(settings, read | {tier: [tier] for tier in tiers})


async def remind(work: UnitOfWork, letterhead: Letterhead) -> int:
    """One batch of games that start within a day, the soonest first: each is reminded of once for each start that it has had.

    It asks for all that is due by now, so what an outage left is caught up with, and for nothing that has begun. Between writing and
    sending the booking may still change: then the reminder is old news, or too late, and is not sent.
    """
    due = await to_remind_of(work.session, work.now, AHEAD, BATCH)
    for booking in due:
        story = Story(kind=Kind.BOOKING_REMINDER, booking=booking)
        # Without a profile their earlier mails wait: a reminder would only repeat that.
        with suppress(RecipientUnknown):
            await write(work, story, letterhead)
        await bookings.mark_reminded(work, booking.booking_id, booking.starts_at)
    return len(due)
