"""Rain: a hall is closed for three days with sixty bookings in it, whatever dies on the way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.booking.app import crons
from services.booking.closures import mutations
from services.booking.closures.domain import Closure
from services.booking.venues.domain import Court, Venue
from services.booking.venues.queries import Catalogue
from services.chassis.crons import Cron
from tests.integration.booking.conftest import Club
from tests.integration.booking.halls import PRICE_MINOR, Hall, open_hall

pytestmark = pytest.mark.slow

DAYS = 3
SLOTS_A_DAY = 10
PAID_COURTS = 2
BOOKINGS = DAYS * SLOTS_A_DAY * PAID_COURTS


@dataclass(frozen=True)
class RainyDays:
    """Three days of a hall, `bookings` on it by id with their player, and what a request to close them is."""

    hall: Hall
    since: datetime
    bookings: dict[str, str]

    @property
    def body(self) -> dict[str, str]:
        until = self.since + timedelta(days=DAYS)
        return {"from": self.since.isoformat(), "until": until.isoformat(), "reason": "Rain"}

    async def close(self, key: str | None = None, url: str | None = None) -> httpx.Response:
        path = f"/v1/venues/{self.hall.venue_id}/closures"
        headers = {"Idempotency-Key": key} if key else {}
        if url is None:
            return await self.hall.club.ask("POST", path, "chief", role="staff", json=self.body, headers=headers)
        headers["Authorization"] = f"Bearer {self.hall.club.token('chief', 'staff')}"
        return await self.hall.club.client.post(url + path, json=self.body, headers=headers)

    async def progress(self, closure_id: str) -> dict[str, Any]:
        answer = await self.hall.club.ask("GET", f"/v1/closures/{closure_id}", "chief", role="staff")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def until_done(self, closure_id: str) -> dict[str, Any]:
        for _ in range(200):
            progress = await self.progress(closure_id)
            if progress["state"] == "done":
                return progress
            await asyncio.sleep(0.05)
        raise AssertionError(f"never done: {progress}")

    async def cancellations(self) -> Counter[str]:
        """How often each booking was told to be cancelled."""
        rows = await self.hall.club.database.fetch(
            "SELECT aggregateid FROM outbox WHERE type = 'booking.cancelled.v1' AND aggregateid = ANY($1)",
            list(self.bookings),
        )
        return Counter(row["aggregateid"] for row in rows)

    async def assert_each_cancelled_once(self) -> None:
        assert await self.cancellations() == dict.fromkeys(self.bookings, 1)
        for booking_id in self.bookings:
            told = await self.hall.told(booking_id)
            assert [event["version"] for event in told] == [1, 2, 3]
            assert (told[-1]["cancelled_by"], told[-1]["reason"]) == ("club", "Rain")
            assert [due["amount_minor"] for due in told[-1]["refunds_due"]] == [PRICE_MINOR]
        until = self.since + timedelta(days=DAYS)
        for court in self.hall.courts:
            assert set(await self.hall.who_has(court, self.since, until)) == {"block"}


@pytest.fixture(scope="module")
async def arena(club: Club) -> AsyncIterator[Hall]:
    """Of this module alone: a closure takes every court."""
    async with open_hall(club) as hall:
        yield hall


@pytest.fixture
async def rainy(arena: Hall) -> RainyDays:
    days = [arena.a_day() for _ in range(DAYS)]
    slots = [
        (court, day.replace(hour=8 + number))
        for day in days
        for court in arena.courts[:PAID_COURTS]
        for number in range(SLOTS_A_DAY)
    ]
    players = [f"wet{days[0]:%j}x{number // 2}" for number in range(len(slots))]
    made = await asyncio.gather(*(arena.booked(player, *slot) for player, slot in zip(players, slots, strict=True)))
    bookings = {booking["id"]: player for booking, player in zip(made, players, strict=True)}
    assert len(bookings) == BOOKINGS
    return RainyDays(arena, days[0], bookings)


class Unlucky(Catalogue):
    """Kills its process at the n-th event that it helps to tell of: in the middle of a batch."""

    def __init__(self, catalogue: Catalogue, dies_at: int) -> None:
        self._catalogue, self._left = catalogue, dies_at

    async def court(self, court_id: UUID) -> tuple[Venue, Court]:
        self._left -= 1
        if self._left == 0:
            raise asyncio.CancelledError("killed")
        return await self._catalogue.court(court_id)


async def closed(rainy: RainyDays) -> UUID:
    """Only the closure's own commit, as of a process that was killed right after it."""
    hall = rainy.hall
    venue = await hall.worker.catalogue.venue(hall.venue_id)
    chief = await hall.club.database.fetchval("SELECT id FROM users LIMIT 1")
    until = rainy.since + timedelta(days=DAYS)
    closure = Closure(
        UUID(int=int(rainy.since.timestamp())), venue.id, rainy.since, until, "Rain", chief, datetime.now(UTC)
    )
    async with hall.worker.unit_of_work() as work:
        await mutations.close(work, hall.worker.catalogue, venue, closure)
    return closure.id


def cron(hall: Hall) -> Cron:
    return next(job for job in crons(hall.worker.catalogue) if job.name == "carry on closures")


async def fire(hall: Hall, workers: int) -> None:
    """As when its time has come, in so many workers."""
    await hall.club.database.execute("DELETE FROM crons WHERE name = 'carry on closures'")
    await asyncio.gather(*(cron(hall).fire(hall.worker.unit_of_work) for _ in range(workers)))


async def test_a_closure_that_is_killed_in_the_middle_goes_on_and_cancels_each_booking_once(rainy: RainyDays) -> None:
    hall, closure_id = rainy.hall, await closed(rainy)
    progress = await rainy.progress(str(closure_id))
    assert (progress["total"], progress["cancelled"], progress["state"]) == (BOOKINGS, 0, "cancelling")
    in_the_second_batch = Unlucky(hall.worker.catalogue, mutations.BATCH + 5)
    with pytest.raises(asyncio.CancelledError):
        await mutations.carry_out(hall.worker.unit_of_work, in_the_second_batch, closure_id)
    assert len(await rainy.cancellations()) == mutations.BATCH, "the second batch left nothing"
    assert (await rainy.progress(str(closure_id)))["cancelled"] == mutations.BATCH
    await fire(hall, workers=4)
    done = await rainy.progress(str(closure_id))
    assert (done["total"], done["cancelled"], done["state"]) == (BOOKINGS, BOOKINGS, "done")
    await rainy.assert_each_cancelled_once()
    await fire(hall, workers=2)
    await rainy.assert_each_cancelled_once()


async def test_a_process_that_is_killed_is_replaced_by_the_same_request_to_another(rainy: RainyDays) -> None:
    hall = rainy.hall
    doomed = await hall.club.stack.start("booking", "api", name="doomed", BOOKING_DATABASE_URL=hall.club.database_url)
    first = await rainy.close("rain", doomed)
    await hall.club.stack.kill("doomed")
    assert (first.status_code, first.json()["state"], first.json()["total"]) == (202, "cancelling", BOOKINGS)
    assert first.headers["location"] == f"/v1/closures/{first.json()['id']}"
    again = await rainy.close("rain")
    assert (again.status_code, again.content) == (202, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    done = await rainy.until_done(first.json()["id"])
    assert (done["cancelled"], done["reason"]) == (BOOKINGS, "Rain")
    await rainy.assert_each_cancelled_once()
    assert (
        await hall.club.count("closures", f"venue_id = '{hall.venue_id}' AND starts_at = '{rainy.since.isoformat()}'")
        == 1
    )


async def test_workers_cron_and_repeated_requests_together_cancel_each_booking_once(rainy: RainyDays) -> None:
    hall, closure_id = rainy.hall, await closed(rainy)
    await asyncio.gather(
        fire(hall, workers=2),
        *(mutations.carry_out(hall.worker.unit_of_work, hall.worker.catalogue, closure_id) for _ in range(3)),
    )
    await fire(hall, workers=1)
    assert (await rainy.progress(str(closure_id)))["cancelled"] == BOOKINGS
    await rainy.assert_each_cancelled_once()


async def test_from_the_first_moment_nobody_gets_a_slot_of_closed_days(rainy: RainyDays) -> None:
    hall = rainy.hall
    empty, booked = hall.courts[PAID_COURTS], hall.courts[0]
    closure_id = await closed(rainy)
    assert (await hall.hold("late-comer", empty, rainy.since.replace(hour=9))).status_code == 409
    assert len(await rainy.cancellations()) == 0
    booking_id, player = next(iter(rainy.bookings.items()))
    assert (await hall.cancel({"id": booking_id}, player)).status_code == 200
    assert (await hall.hold("late-comer", booked, rainy.since.replace(hour=8))).status_code == 409
    await mutations.carry_out(hall.worker.unit_of_work, hall.worker.catalogue, closure_id)
    done = await rainy.progress(str(closure_id))
    assert (done["total"], done["cancelled"], done["state"]) == (BOOKINGS, BOOKINGS - 1, "done")
    assert await rainy.cancellations() == dict.fromkeys(rainy.bookings, 1)
    assert (await hall.told(booking_id))[-1]["cancelled_by"] == "player"


async def test_a_court_that_is_opened_again_keeps_its_bookings(rainy: RainyDays) -> None:
    hall, closure_id = rainy.hall, await closed(rainy)
    opened = hall.courts[0]
    block = await hall.club.database.fetchval(
        "SELECT id FROM blocked_slots WHERE series_id = $1 AND court_id = $2", closure_id, opened
    )
    assert (await hall.unblock(str(block))).json() == {"unblocked": 1}
    await mutations.carry_out(hall.worker.unit_of_work, hall.worker.catalogue, closure_id)
    assert (await rainy.progress(str(closure_id)))["cancelled"] == BOOKINGS // PAID_COURTS
    assert (await hall.hold("bird-of-the-evening", opened, rainy.since.replace(hour=20))).status_code == 201


async def test_an_empty_hall_is_closed_at_once(arena: Hall) -> None:
    day = arena.a_day()
    body = {"from": day.isoformat(), "until": (day + timedelta(hours=20)).isoformat(), "reason": "Rain"}
    path = f"/v1/venues/{arena.venue_id}/closures"
    answer = await arena.club.ask("POST", path, "chief", role="staff", json=body)
    assert (answer.status_code, answer.json()["state"], answer.json()["total"]) == (202, "done", 0)
    refused = await arena.club.ask("POST", path, "sly-at-the-arena", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "staff-only")
    shown = await arena.club.ask("GET", f"/v1/closures/{answer.json()['id']}", "sly-at-the-arena")
    assert shown.status_code == 403
    backwards = body | {"until": body["from"]}
    wrong = await arena.club.ask("POST", path, "chief", role="staff", json=backwards)
    assert (wrong.status_code, wrong.json()["code"]) == (422, "ends-before-it-starts")
    unknown = await arena.club.ask("GET", f"/v1/closures/{UUID(int=0)}", "chief", role="staff")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "closure-not-found")
