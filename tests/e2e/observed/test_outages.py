"""What fails takes nothing else along: players read, hold and cancel, and free courts are confirmed. What waits is seen, and comes once.

`OUTAGE_SECONDS=600` makes each outage last for ten minutes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import uuid4

import pytest

from deploy.player import Player
from services.booking.venues.seed import VENUE_ID
from tests.e2e.observed.conftest import CONFIRMED, OUTAGE_SECONDS, Observed, until
from tests.e2e.test_dead_letters import answered, desk, poison

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300 + 2 * OUTAGE_SECONDS),
]  # outages of some ten seconds each, unless it is told

CROWD = 12
"""More calls than a breaker needs to open; each player may hold two courts."""
VISIT_EVERY_SECONDS = 20.0
PAST_ALL_PATIENCE_SECONDS = 45.0
"""Longer than a member may be silent (10 s), than the others wait for it (30 s), than an outbox may be old without a warning (30 s) and
than a request to the broker may take (40 s). What lies between this and ten minutes, shortened: `chassis/test_long_outages.py`."""


@dataclass
class Evening:
    """What was begun while something was away: courts that players still hold, with who holds them, and bookings that cost nothing."""

    club: Observed
    began: float = field(default_factory=time.monotonic)
    held: list[tuple[Player, str]] = field(default_factory=list)
    free: list[str] = field(default_factory=list)

    async def life_goes_on(self, at_least_seconds: float = 0) -> None:
        """Reading, holding, cancelling and free confirming, from the first moment of the outage to its last."""
        ends = self.began + max(at_least_seconds, OUTAGE_SECONDS)
        await self._visit()
        while (left := ends - time.monotonic()) > 0:
            await asyncio.sleep(min(VISIT_EVERY_SECONDS, left))
            await self._visit()

    async def _visit(self) -> None:
        club = self.club
        reader, quitter, player = club.player(), club.player(), club.player()
        day = {"venue_id": str(VENUE_ID), "from": club.slots[0].starts_at[:10]}
        assert (await club.ask(reader, "GET", "/v1/availability", params=day)).status_code == 200
        given_up, _ = await quitter.hold(club.slots)
        cancelled = await club.ask(quitter, "POST", f"/v1/bookings/{given_up}/cancel", json={})
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
        held, _ = await player.hold(club.slots)
        assert (await club.ask(player, "GET", f"/v1/bookings/{held}")).json()["status"] == "held"
        self.held.append((player, held))
        self.free.append(await club.book_free())

    async def is_made_up_for(self) -> None:
        """The first and the last to hold a court pay; everybody is told, and nobody twice."""
        for player, held in {held: (player, held) for player, held in (self.held[0], self.held[-1])}.values():
            await pays_and_is_told(self.club, player, held)
            self.free.append(held)
        await told_once(self.club, *self.free)


async def pays_and_is_told(club: Observed, player: Player, booking_id: str) -> None:
    await player.pay(await player.open_checkout(booking_id))
    await player.await_confirmation(booking_id)
    await player.read_mail(booking_id, CONFIRMED)
    assert (await club.paid(booking_id), await club.mails(booking_id)) == (1, 1)


async def alarmed(club: Observed, alert: str, about: str) -> None:
    async def fires() -> bool:
        return (alert, about) in await club.prometheus.firing()

    await until(f"the alert {alert} about {about}", fires)


async def warned(club: Observed, service: str, check: str, says: Callable[[str], bool] = bool) -> None:
    async def warns() -> bool:
        told = await club.check(service, check)
        return told["status"] == "warn" and says(told["output"])

    await until(f"a warning of {service} about {check}", warns)


async def told_once(club: Observed, *booking_ids: str) -> None:
    async def all_have_come() -> bool:
        return all([await club.mails(booking_id) >= 1 for booking_id in booking_ids])

    await until("the mails", all_have_come)
    await club.recovers()
    assert [await club.mails(booking_id) for booking_id in booking_ids] == [1] * len(booking_ids)


async def test_kafka_is_down_and_the_club_goes_on(observed: Observed) -> None:
    club = observed
    await club.stack.kill("kafka")
    evening = Evening(club)
    await evening.life_goes_on(PAST_ALL_PATIENCE_SECONDS)
    await warned(club, "booking", "kafka")
    await warned(club, "booking", "outbox", lambda said: "waits for" in said)
    await alarmed(club, "CourtsideOutboxWaits", "booking")
    await club.stack.start_kafka()
    await evening.is_made_up_for()


async def test_polar_is_down_and_courts_are_held_all_the_same(observed: Observed) -> None:
    club = observed
    await club.stack.stop("polar")
    evening = Evening(club)
    await evening.life_goes_on()
    crowd = [club.player() for _ in range(CROWD)]
    holds = [(await one.hold(club.slots))[0] for one in crowd]
    await warned(club, "payments", "polar", lambda said: "down" in said)
    await alarmed(club, "CourtsideProviderDown", "polar")
    await until("the mail of who need not pay", lambda: has_mail(club, evening.free[-1]))
    await club.stack.start_standin("polar")
    pages = await asyncio.gather(*(one.open_checkout(hold) for one, hold in zip(crowd, holds, strict=True)))
    assert len(set(pages)) == CROWD
    await evening.is_made_up_for()


async def has_mail(club: Observed, booking_id: str) -> bool:
    return await club.mails(booking_id) > 0


async def test_resend_is_down_and_its_mails_come_once_it_is_back(observed: Observed) -> None:
    club = observed
    await club.stack.stop("resend")
    evening = Evening(club)
    await evening.life_goes_on()
    others = [await club.book_free() for _ in range(CROWD)]
    await warned(club, "notifications", "resend", lambda said: "down" in said)
    await alarmed(club, "CourtsideProviderDown", "resend")
    player, held = evening.held[-1]
    await player.pay(await player.open_checkout(held))
    await player.await_confirmation(held)
    await club.stack.start_standin("resend", RESEND_STANDIN_RATE_PER_S="0")
    await told_once(club, held, *evening.free, *others)


async def test_payments_is_stopped_and_catches_up(observed: Observed) -> None:
    club = observed
    await club.book_free()
    await until("that payments has read of it", lambda: is_known_to_the_broker(club))
    await club.stack.stop("payments")
    evening = Evening(club)
    await evening.life_goes_on()
    await alarmed(club, "CourtsideServiceGone", "payments-api")
    await alarmed(club, "CourtsideServiceGone", "payments-worker")
    await alarmed(club, "CourtsideProcessDown", "payments")
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
    club = observed
    await club.stack.stop("notifications")
    evening = Evening(club)
    await evening.life_goes_on()
    player, held = evening.held[-1]
    await player.pay(await player.open_checkout(held))
    await player.await_confirmation(held)
    await alarmed(club, "CourtsideServiceGone", "notifications-worker")
    bookings = [held, *evening.free]
    assert [await club.mails(booking_id) for booking_id in bookings] == [0] * len(bookings)
    await club.start_again("notifications")
    await told_once(club, *bookings)


async def test_an_event_that_nobody_can_read_alarms_until_somebody_decides(observed: Observed) -> None:
    club, key = observed, str(uuid4())
    await poison(club, key)
    await warned(club, "booking", "dead letters", lambda said: said.startswith("1 wait"))
    await alarmed(club, "CourtsideDeadLetters", "booking")
    (letter,) = (await answered(club, "list", "-s", "booking", "--key", key, "--json"))["items"]
    code, _, errors = await desk(club, "discard", letter["id"], "-s", "booking", "--reason", "cut in half")
    assert code == 0, errors
    await club.recovers()
