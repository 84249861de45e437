"""After the hold: cancelling, completing, booking for nothing. Events are judged by the outbox."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

from services.booking.app import crons
from services.booking.venues.seed import court_id
from tests.integration.booking.desks import Desk
from tests.integration.booking.slots import a_free_slot, tomorrow


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


async def test_staff_books_without_payment_and_a_player_may_not(desk: Desk) -> None:
    court, starts_at = a_free_slot()
    body = {"court_id": court, "starts_at": starts_at, "without_payment": True}
    refused = await desk.club.ask("POST", "/v1/bookings", "sly-with-time", json=body)
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
    jobs = crons(desk.worker.catalogue)
    done = {job.name: await asyncio.gather(*(job.fire(desk.worker.unit_of_work) for _ in range(5))) for job in jobs}
    worked = {name: sum(count > 0 for count in counts) for name, counts in done.items()}
    nothing_due = {"carry on closures": 0}
    assert worked == {job.name: 1 for job in jobs} | nothing_due
    assert sum(done["purge idempotency answers"]) == answers > 0
    assert await desk.story(ended) == ["held", "confirmed", "completed"]
    assert await desk.story(over) == ["held", "expired"]
    assert await desk.occupies(ended) == await desk.occupies(over) == 0
