"""What fails takes nothing else along: players read, hold and cancel, and free courts are confirmed. What waits is seen, and comes once.

`OUTAGE_SECONDS=600` makes each outage last for ten minutes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.e2e.observed.conftest import OUTAGE_SECONDS, Observed, raises_alarms, until
from tests.e2e.observed.evenings import Evening, regular
from tests.e2e.test_dead_letters import answered, desk, poison

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + 2 * OUTAGE_SECONDS),
]  # outages of some ten seconds each, unless it is told

CROWD = 12
"""More calls than a breaker needs to open; each player may hold two courts."""
PAST_ALL_PATIENCE_SECONDS = 45.0
"""Longer than a member may be silent (10 s), than the others wait for it (30 s), than an outbox may be old without a warning (30 s) and
than a request to the broker may take (40 s). What lies between this and ten minutes, shortened: `chassis/test_long_outages.py`."""


async def warned(club: Observed, service: str, check: str, says: Callable[[str], bool] = bool) -> None:
    async def warns() -> bool:
        told = await club.check(service, check)
        return told["status"] == "warn" and says(told["output"])

    await until(f"a warning of {service} about {check}", warns)


async def test_kafka_is_down_and_the_club_goes_on(observed: Observed) -> None:
    club, guest = observed, await regular(observed)
    async with raises_alarms(club, ("CourtsideOutboxWaits", "booking")):
        await club.stack.kill("kafka")
        evening = Evening(club, guest)
        await evening.life_goes_on(PAST_ALL_PATIENCE_SECONDS)
        await warned(club, "booking", "kafka")
        await warned(club, "booking", "outbox", lambda said: "waits for" in said)
    await club.stack.start_kafka()
    await evening.is_made_up_for()


async def test_polar_is_down_and_courts_are_held_all_the_same(observed: Observed) -> None:
    club, guest = observed, await regular(observed)
    async with raises_alarms(club, ("CourtsideProviderDown", "polar")):
        await club.stack.stop("polar")
        evening = Evening(club, guest)
        await evening.life_goes_on()
        crowd = [(player, (await player.hold(club.slots))[0]) for player in (club.player() for _ in range(CROWD))]
        evening.held += crowd
        await warned(club, "payments", "polar", lambda said: "down" in said)
    await until("the mail of who need not pay", lambda: has_mail(club, evening.free[-1]))
    await club.stack.start_standin("polar")
    pages = await asyncio.gather(*(player.open_checkout(booking_id) for player, booking_id in crowd))
    assert len(set(pages)) == CROWD
    await evening.is_made_up_for()


async def has_mail(club: Observed, booking_id: str) -> bool:
    return await club.mails(booking_id) > 0


async def test_resend_is_down_and_its_mails_come_once_it_is_back(observed: Observed) -> None:
    club, guest = observed, await regular(observed)
    async with raises_alarms(club, ("CourtsideProviderDown", "resend")):
        await club.stack.stop("resend")
        evening = Evening(club, guest)
        await evening.life_goes_on()
        evening.free += [await club.book_free() for _ in range(CROWD)]
        await warned(club, "notifications", "resend", lambda said: "down" in said)
    await evening.the_last_pays()
    await club.stack.start_standin("resend", RESEND_STANDIN_RATE_PER_S="0")
    await evening.ends_well()


async def test_payments_is_stopped_and_catches_up(observed: Observed) -> None:
    club, guest = observed, await regular(observed)
    gone = [("CourtsideServiceGone", "payments-api"), ("CourtsideServiceGone", "payments-worker")]
    async with raises_alarms(club, *gone, ("CourtsideProcessDown", "payments")):
        await until("that payments has read of it", lambda: is_known_to_the_broker(club))
        await club.stack.stop("payments")
        evening = Evening(club, guest)
        await evening.life_goes_on()
    await until("that the doctor tells of it", lambda: is_diagnosed(club))
    await until("the mail of who need not pay", lambda: has_mail(club, evening.free[-1]))
    await club.start_again("payments")
    await evening.is_made_up_for()


async def is_known_to_the_broker(club: Observed) -> bool:
    """A group that has never committed anything has no lag."""
    _, findings = await club.doctor()
    return any(one["where"] == payments_group(club) and one["check"] == "lag" for one in findings)


def payments_group(club: Observed) -> str:
    return club.stack.installation.topic_prefix + "payments"


async def is_diagnosed(club: Observed) -> bool:
    code, findings = await club.doctor()
    told = {(one["level"], one["where"], one["check"]) for one in findings}
    return code == 1 and {("fail", "payments", "process"), ("fail", payments_group(club), "lag")} <= told


async def test_notifications_is_stopped_and_catches_up(observed: Observed) -> None:
    club, guest = observed, await regular(observed)
    async with raises_alarms(club, ("CourtsideServiceGone", "notifications-worker")):
        await club.stack.stop("notifications")
        evening = Evening(club, guest)
        await evening.life_goes_on()
        bookings = [await evening.the_last_pays(), *evening.free]
    assert [await club.mails(booking_id) for booking_id in bookings] == [0] * len(bookings)
    await club.start_again("notifications")
    await evening.ends_well()


async def test_an_event_that_nobody_can_read_alarms_until_somebody_decides(observed: Observed) -> None:
    club, key = observed, str(uuid4())
    async with raises_alarms(club, ("CourtsideDeadLetters", "booking")):
        await poison(club, key)
        await warned(club, "booking", "dead letters", lambda said: said.startswith("1 wait"))
    (letter,) = (await answered(club, "list", "-s", "booking", "--key", key, "--json"))["items"]
    code, _, errors = await desk(club, "discard", letter["id"], "-s", "booking", "--reason", "cut in half")
    assert code == 0, errors
    await club.recovers()
