"""After the hold: payments in time and late, cancelling, moving, completing. Events are judged by the outbox."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from courtside_contracts.payment import PaymentSucceeded
from services.booking.app import crons
from services.booking.bookings import mutations
from services.booking.settings import BookingSettings
from services.booking.venues.queries import Catalogue
from services.booking.venues.seed import court_id
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.unit_of_work import UnitOfWorkFactory
from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot, tomorrow


@dataclass(frozen=True)
class Desk:
    """The club, and the worker's half of the service in this process: payments arrive here."""

    club: Club
    unit_of_work: UnitOfWorkFactory
    catalogue: Catalogue

    async def hold(self, player: str, slot: tuple[str, str] | None = None) -> dict[str, Any]:
        answer = await self.club.hold(player, *(slot or a_free_slot()))
        assert answer.status_code == 201, answer.text
        held: dict[str, Any] = answer.json()
        return held

    async def pay(self, booking: dict[str, Any], order_id: str | None = None, amount: int | None = None) -> None:
        payment = PaymentSucceeded(
            booking_id=UUID(booking["id"]),
            attempt_id=uuid4(),
            amount_minor=booking["price"]["amount"] if amount is None else amount,
            currency=booking["price"]["currency"],
            order_id=order_id or str(uuid4()),
            paid_at=datetime.now(UTC),
        )
        async with self.unit_of_work() as work:
            await mutations.take_payment(work, self.catalogue, payment)

    async def confirmed(self, player: str, slot: tuple[str, str] | None = None) -> dict[str, Any]:
        booking = await self.hold(player, slot)
        await self.pay(booking, f"order-of-{booking['id']}")
        return await self.read(booking, player)

    async def read(self, booking: dict[str, Any], player: str) -> dict[str, Any]:
        found: dict[str, Any] = (await self.club.ask("GET", f"/v1/bookings/{booking['id']}", player)).json()
        return found

    async def let_expire(self, booking: dict[str, Any]) -> None:
        await self.club.database.execute(
            "UPDATE bookings SET hold_expires_at = now() - interval '1 ms' WHERE id = $1", booking["id"]
        )

    async def sweep(self) -> None:
        async with self.unit_of_work() as work:
            await mutations.expire_all(work, self.catalogue)

    async def events(self, booking: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        rows = await self.club.database.fetch(
            "SELECT type, payload FROM outbox WHERE aggregateid = $1 ORDER BY seq", booking["id"]
        )
        return [(row["type"], json.loads(row["payload"])) for row in rows]

    async def story(self, booking: dict[str, Any]) -> list[str]:
        """What was told of a booking, in order; its versions must have no gap."""
        events = await self.events(booking)
        assert [data["version"] for _, data in events] == list(range(1, len(events) + 1))
        return [kind.removeprefix("booking.").removesuffix(".v1") for kind, _ in events]

    async def occupies(self, booking: dict[str, Any]) -> int:
        return await self.club.count("court_occupancy", f"booking_id = '{booking['id']}'")


@pytest.fixture(scope="session")
async def desk(club: Club) -> AsyncIterator[Desk]:
    settings = BookingSettings(database_url=SecretStr(club.database_url))
    database, clock = await Database.open(settings), DatabaseClock()
    catalogue = Catalogue(database)
    await clock.synchronise(database)
    yield Desk(club, UnitOfWorkFactory(database, clock, lambda: None), catalogue)
    await catalogue.close()
    await database.close()


async def test_a_payment_in_time_confirms_once(desk: Desk) -> None:
    booking = await desk.hold("punctual")
    await asyncio.gather(*(desk.pay(booking, "order-1") for _ in range(5)))
    assert (await desk.read(booking, "punctual"))["status"] == "confirmed"
    assert await desk.story(booking) == ["held", "confirmed"]


async def test_a_late_payment_gets_the_court_back_when_it_is_free(desk: Desk) -> None:
    booking = await desk.hold("late")
    await desk.let_expire(booking)
    await desk.sweep()
    assert await desk.occupies(booking) == 0
    await desk.pay(booking)
    assert (await desk.read(booking, "late"))["status"] == "confirmed"
    assert await desk.story(booking) == ["held", "expired", "confirmed"]
    assert await desk.occupies(booking) == 1


async def test_a_late_payment_is_owed_back_when_the_court_is_taken(desk: Desk) -> None:
    slot = a_free_slot()
    booking = await desk.hold("too-late", slot)
    await desk.let_expire(booking)
    await desk.hold("quicker", slot)
    await desk.pay(booking, "order-7")
    assert await desk.story(booking) == ["held", "expired", "refund_due"]
    _, told = (await desk.events(booking))[-1]
    price = booking["price"]["amount"]
    assert told["refunds_due"] == [{"order_id": "order-7", "amount_minor": price, "reason": "paid_too_late"}]
    assert told["status"] == "expired"


async def test_a_late_payment_is_owed_back_when_the_player_has_no_seat_left(desk: Desk) -> None:
    booking = await desk.hold("full")
    await desk.let_expire(booking)
    await desk.sweep()
    for _ in range(2):
        await desk.hold("full")
    await desk.pay(booking)
    assert await desk.story(booking) == ["held", "expired", "refund_due"]
    assert await desk.occupies(booking) == 0


async def test_a_late_payment_takes_the_court_from_a_hold_that_is_over_too(desk: Desk) -> None:
    slot = a_free_slot()
    booking = await desk.hold("first-come", slot)
    await desk.let_expire(booking)
    other = await desk.hold("second-come", slot)
    await desk.let_expire(other)
    await desk.pay(booking)
    assert await desk.story(booking) == ["held", "expired", "confirmed"]
    assert await desk.story(other) == ["held", "expired"]


async def test_a_late_payment_of_an_erased_player_is_owed_back(desk: Desk) -> None:
    booking = await desk.hold("late-and-gone")
    await desk.let_expire(booking)
    assert (await desk.club.ask("DELETE", "/v1/me", "late-and-gone")).status_code == 204
    await desk.pay(booking)
    assert await desk.story(booking) == ["held", "expired", "refund_due"]
    assert await desk.occupies(booking) == 0


async def test_a_late_payment_takes_the_seat_of_a_hold_that_is_over_too(desk: Desk) -> None:
    booking = await desk.hold("torn")
    await desk.let_expire(booking)
    await desk.sweep()
    given_up, kept = await desk.hold("torn"), await desk.hold("torn")
    await desk.let_expire(given_up)
    await desk.pay(booking)
    assert await desk.story(booking) == ["held", "expired", "confirmed"]
    assert await desk.story(given_up) == ["held", "expired"]
    assert await desk.story(kept) == ["held"]


async def test_a_second_payment_is_owed_back_once(desk: Desk) -> None:
    booking = await desk.confirmed("eager")
    for _ in range(3):
        await desk.pay(booking, "order-again")
    assert await desk.story(booking) == ["held", "confirmed", "refund_due"]
    assert [due["order_id"] for due in (await desk.events(booking))[-1][1]["refunds_due"]] == ["order-again"]


async def test_payment_and_expiry_at_the_same_moment_end_in_one_of_two_ways(desk: Desk) -> None:
    bookings = [await desk.hold(f"racing{number}") for number in range(6)]
    for booking in bookings:
        await desk.let_expire(booking)
    await asyncio.gather(*(desk.pay(booking) for booking in bookings), *(desk.sweep() for _ in range(6)))
    for booking in bookings:
        assert await desk.story(booking) in (["held", "confirmed"], ["held", "expired", "confirmed"])
        assert await desk.occupies(booking) == 1


async def test_a_player_cancels_in_time_and_the_money_is_owed_back(desk: Desk) -> None:
    slot = (str(court_id(6)), tomorrow(23).isoformat())
    booking = await desk.confirmed("changing", slot)
    answer = await desk.club.ask("POST", f"/v1/bookings/{booking['id']}/cancel", "changing", json={"reason": "rain"})
    assert (answer.status_code, answer.json()["status"], answer.headers["etag"]) == (200, "cancelled", '"3"')
    kind, told = (await desk.events(booking))[-1]
    assert (kind, told["cancelled_by"], told["reason"]) == ("booking.cancelled.v1", "player", "rain")
    assert [due["reason"] for due in told["refunds_due"]] == ["cancelled_by_player"]
    assert await desk.occupies(booking) == 0
    assert (await desk.club.hold("next", *slot)).status_code == 201


async def test_within_24_hours_only_the_club_cancels(desk: Desk) -> None:
    booking = await desk.confirmed("stuck", (str(court_id(6)), tomorrow(24).isoformat()))
    soon = datetime.now(UTC) + timedelta(hours=23)
    move = "UPDATE bookings SET starts_at = $2, ends_at = $3 WHERE id = $1"
    await desk.club.database.execute(move, booking["id"], soon, soon + timedelta(hours=1))
    path = f"/v1/bookings/{booking['id']}/cancel"
    refused = await desk.club.ask("POST", path, "stuck", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "cancellation-window-closed")
    assert refused.json()["booking_status"] == "confirmed"
    await desk.club.hire("boss")
    by_club = await desk.club.ask("POST", path, "boss", role="staff", json={"reason": "floodlights broken"})
    assert by_club.status_code == 200, by_club.text
    assert (await desk.events(booking))[-1][1]["cancelled_by"] == "club"


async def test_what_has_ended_cannot_be_cancelled_again(desk: Desk) -> None:
    booking = await desk.hold("hasty")
    path = f"/v1/bookings/{booking['id']}/cancel"
    assert (await desk.club.ask("POST", path, "hasty", json={})).status_code == 200
    again = await desk.club.ask("POST", path, "hasty", json={})
    assert (again.status_code, again.json()["code"]) == (409, "transition-not-possible")
    assert again.json()["booking_status"] == "cancelled"


async def test_a_repeated_cancellation_gets_the_first_answer(desk: Desk) -> None:
    booking = await desk.hold("careful")
    path, key = f"/v1/bookings/{booking['id']}/cancel", {"Idempotency-Key": "cancel-it"}
    copies = await asyncio.gather(*(desk.club.ask("POST", path, "careful", json={}, headers=key) for _ in range(4)))
    assert {copy.status_code for copy in copies} == {200}
    assert len({copy.content for copy in copies}) == 1
    assert Counter(copy.headers.get("idempotency-replayed") for copy in copies) == {None: 1, "true": 3}
    assert await desk.story(booking) == ["held", "cancelled"]


async def test_a_change_that_was_decided_on_an_old_state_is_refused(desk: Desk) -> None:
    booking = await desk.confirmed("reader")
    path = f"/v1/bookings/{booking['id']}/cancel"
    old = await desk.club.ask("POST", path, "reader", json={}, headers={"If-Match": '"1"'})
    assert (old.status_code, old.json()["code"]) == (412, "booking-changed")
    new = await desk.club.ask("POST", path, "reader", json={}, headers={"If-Match": '"2"'})
    assert new.status_code == 200


async def test_a_move_is_one_step_and_its_own_slot_does_not_count_against_it(desk: Desk) -> None:
    court, day = str(court_id(7)), tomorrow(21)
    booking = await desk.confirmed("mover", (court, day.isoformat()))
    target = (day + timedelta(hours=11)).isoformat()  # 19:00, dearer
    path = f"/v1/bookings/{booking['id']}/reschedule"
    moved = await desk.club.ask("POST", path, "mover", json={"court_id": court, "starts_at": target})
    assert moved.status_code == 200, moved.text
    assert moved.json()["starts_at"] == target
    assert moved.json()["price_difference"]["amount"] in (0, 800)
    assert moved.json()["price"] == booking["price"]
    assert (await desk.club.hold("successor", court, day.isoformat())).status_code == 201
    back = await desk.club.ask("POST", path, "mover", json={"court_id": court, "starts_at": day.isoformat()})
    assert (back.status_code, back.json()["code"]) == (409, "slot-already-taken")
    assert (await desk.read(booking, "mover"))["starts_at"] == target
    assert await desk.story(booking) == ["held", "confirmed", "rescheduled"]


async def test_a_held_booking_cannot_move(desk: Desk) -> None:
    booking = await desk.hold("unpaid")
    court, starts_at = a_free_slot()
    path = f"/v1/bookings/{booking['id']}/reschedule"
    answer = await desk.club.ask("POST", path, "unpaid", json={"court_id": court, "starts_at": starts_at})
    assert (answer.status_code, answer.json()["booking_status"]) == (409, "held")


async def test_two_who_swap_slots_at_once_end_without_overlap(desk: Desk) -> None:
    """Each wants the other's slot: whoever is first is refused or not, but both keep exactly one place."""
    day = tomorrow(19)
    one = await desk.confirmed("swap-one", (str(court_id(5)), day.isoformat()))
    two = await desk.confirmed("swap-two", (str(court_id(6)), day.isoformat()))
    for _ in range(5):
        answers = await asyncio.gather(
            *(
                desk.club.ask("POST", f"/v1/bookings/{mine['id']}/reschedule", player, json=_slot_of(other))
                for mine, other, player in ((one, two, "swap-one"), (two, one, "swap-two"))
            )
        )
        assert {answer.status_code for answer in answers} <= {200, 409, 503}, [answer.text for answer in answers]
        one, two = await desk.read(one, "swap-one"), await desk.read(two, "swap-two")
        assert _slot_of(one) != _slot_of(two)
        assert (await desk.occupies(one), await desk.occupies(two)) == (1, 1)


def _slot_of(booking: dict[str, Any]) -> dict[str, str]:
    return {"court_id": booking["court_id"], "starts_at": booking["starts_at"]}


async def test_staff_books_without_payment_and_a_player_may_not(desk: Desk) -> None:
    court, starts_at = a_free_slot()
    body = {"court_id": court, "starts_at": starts_at, "without_payment": True}
    refused = await desk.club.ask("POST", "/v1/bookings", "sly", json=body)
    assert (refused.status_code, refused.json()["code"]) == (403, "staff-only")
    await desk.club.hire("coach")
    booked = await desk.club.ask("POST", "/v1/bookings", "coach", role="staff", json=body)
    assert (booked.status_code, booked.json()["status"]) == (201, "confirmed")
    assert booked.json()["price"]["amount"] == 0
    assert await desk.story(booked.json()) == ["confirmed"]


async def test_crons_do_what_is_due_and_fire_once_however_many_workers_run(desk: Desk) -> None:
    ended, over = await desk.confirmed("veteran"), await desk.hold("forgetful")
    past = "UPDATE bookings SET starts_at = now() - interval '3 h', ends_at = now() - interval '1 h' WHERE id = $1"
    await desk.club.database.execute(past, ended["id"])
    await desk.let_expire(over)
    await desk.club.database.execute("UPDATE idempotency_keys SET created_at = now() - interval '25 h'")
    await desk.club.database.execute("INSERT INTO rate_limits VALUES ('user-reads veteran', now() - interval '1 s')")
    answers = await desk.club.count("idempotency_keys")
    jobs = crons(desk.catalogue)
    done = {job.name: await asyncio.gather(*(job.fire(desk.unit_of_work) for _ in range(5))) for job in jobs}
    worked = {name: sum(count > 0 for count in counts) for name, counts in done.items()}
    nothing_due = {"carry on closures": 0}
    assert worked == {job.name: 1 for job in jobs} | nothing_due
    assert sum(done["purge idempotency answers"]) == answers > 0
    assert await desk.story(ended) == ["held", "confirmed", "completed"]
    assert await desk.story(over) == ["held", "expired"]
    assert await desk.occupies(ended) == await desk.occupies(over) == 0
