"""What is played: each scene is many small stories at once, whose players know nothing of each other. No story asserts anything: whether
all was well is for the checker to say, which sees the run from outside.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable, Mapping

from deploy.player import free_slots
from services.booking.venues.seed import VENUE_ID
from tests.faults.mutants.club import VENUE_ID as SHORT_HOLDS
from tests.faults.mutants.players import NothingCame, until
from tests.faults.mutants.stage import Stage
from tests.faults.mutants.stories import (
    Cast,
    Told,
    a_booking_is_moved,
    a_forged_webhook,
    a_hold_is_given_up_at_once,
    a_late_payment_for_a_slot_that_is_gone,
    a_paid_booking,
    a_paid_booking_and_a_request_sent_twice,
    a_paid_booking_cannot_be_called_off_any_more,
    a_paid_booking_is_called_off,
    a_race_for_one_slot,
    a_slot_is_free_again,
    another_amount_is_paid,
    more_slots_than_one_may_have,
    staff_give_a_part_back,
)

POISON = b"no event at all"


async def a_day(stage: Stage) -> Told:
    """All that happens at a club: paid, repeated, raced for, moved, called off, too late, too dear, forged, and broken."""
    far = await free_slots(stage.client, stage.url("booking"), str(VENUE_ID), 60, first_day=3)
    soon = await free_slots(stage.client, stage.url("booking"), str(VENUE_ID), 1, first_day=0)
    short = await free_slots(stage.client, stage.url("booking"), str(SHORT_HOLDS), 10, first_day=3)
    cast = Cast(stage)
    await _all(
        a_paid_booking_and_a_request_sent_twice(cast, far.pop()),
        a_race_for_one_slot(cast, far.pop()),
        more_slots_than_one_may_have(cast, [far.pop() for _ in range(3)]),
        a_paid_booking_is_called_off(cast, far.pop()),
        a_paid_booking_cannot_be_called_off_any_more(cast, soon.pop()),
        a_slot_is_free_again(cast, short.pop()),
        a_late_payment_for_a_slot_that_is_gone(cast, short),
        another_amount_is_paid(cast, far.pop()),
        staff_give_a_part_back(cast, far.pop()),
        a_booking_is_moved(cast, far.pop(), far.pop()),
        *(a_hold_is_given_up_at_once(cast, far.pop()) for _ in range(4)),
        a_forged_webhook(stage),
    )
    for topic in ("booking.events", "payment.events"):
        await stage.produce(topic, b"nobody", POISON)
    return cast.told() | {"poison": [_poison(topic) for topic in ("booking.events", "payment.events")]}


async def a_death_in_the_middle(stage: Stage) -> Told:
    """Payments dies when the provider has made a page and our rows do not say so yet, and comes back."""
    cast = Cast(stage)
    slots = await free_slots(stage.client, stage.url("booking"), str(VENUE_ID), 10, first_day=3)
    await stage.stack.stop("payments")
    await _all(*(cast.enter("Mia").hold(slots.pop()) for _ in range(3)))
    await stage.dies("payments", "checkout.made")
    await stage.start("payments")
    await _all(*(a_paid_booking(cast, slots.pop()) for _ in range(2)))
    return cast.told()


async def mails_held_up(stage: Stage) -> Told:
    """The mail provider is away while a booking is made and given up: what is old news by its return stays unsent."""
    cast = Cast(stage)
    slots = await free_slots(stage.client, stage.url("booking"), str(VENUE_ID), 10, first_day=3)
    faults = f"{stage.url('resend')}/_admin/faults"
    outage = {"match": {"method": "POST", "path": "/emails"}, "action": "status", "code": 500, "times": "always"}
    (await stage.client.post(faults, json=outage)).raise_for_status()
    await a_hold_is_given_up_at_once(cast, slots.pop())

    async def overtaken() -> bool:
        query = "SELECT 1 FROM emails WHERE kind = 'booking-cancelled' AND created_at < now() - $1 * interval '1 s'"
        return bool(await stage.fetch("notifications", query, OVERTAKEN_SECONDS))

    try:
        await until("mails that are old news for so long that no call of before can be under way", overtaken)
    finally:
        (await stage.client.delete(faults)).raise_for_status()
    return cast.told()


OVERTAKEN_SECONDS = 10.0
"""Longer than a turn and a call together take."""


async def _all(*stories: Awaitable[object]) -> None:
    """Side by side; one that waits in vain ends, and the others go on."""
    for outcome in await asyncio.gather(*stories, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, NothingCame):
            raise outcome


def _poison(topic: str) -> Told:
    return {"topic": topic, "key": "nobody", "value_b64": base64.b64encode(POISON).decode()}


PLAIN = "a day at the club"
SCENES: Mapping[str, Callable[[Stage], Awaitable[Told]]] = {
    PLAIN: a_day,
    "a death in the middle": a_death_in_the_middle,
    "mails held up": mails_held_up,
}
