"""Payments in time, late, and twice: they confirm a booking, or are owed back. Events are judged by the outbox."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.booking.desks import Desk
from tests.integration.booking.halls import Hall, a_player, at
from tests.integration.booking.slots import a_free_slot


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


@pytest.mark.slow
async def test_a_payment_and_a_cancellation_at_the_same_moment_end_in_one_of_two_ways(desk: Desk) -> None:
    """Confirmed and then cancelled by the club, or cancelled and then paid: the money is owed back either way, once."""
    bookings = [await desk.hold(f"wavering{number}") for number in range(6)]
    pays = [desk.pay(booking, f"order-of-{booking['id']}") for booking in bookings]
    cancels = [
        desk.club.ask("POST", f"/v1/bookings/{booking['id']}/cancel", "chief-of-moments", "admin", json={})
        for booking in bookings
    ]
    _, answers = await asyncio.gather(asyncio.gather(*pays), asyncio.gather(*cancels))
    assert [answer.status_code for answer in answers] == [200] * len(bookings)
    for booking in bookings:
        assert await desk.story(booking) in (["held", "confirmed", "cancelled"], ["held", "cancelled", "refund_due"])
        _, told = (await desk.events(booking))[-1]
        assert [due["order_id"] for due in told["refunds_due"]] == [f"order-of-{booking['id']}"]
        assert await desk.occupies(booking) == 0


@pytest.mark.slow
async def test_a_payment_and_a_block_at_the_same_moment_end_in_one_of_two_ways(hall: Hall) -> None:
    """The club blocks the court over the booking: the money is owed back, whichever came first."""
    court = hall.courts[0]
    for _ in range(6):
        day = hall.a_day()
        booking = (await hall.hold(a_player(), court, at(day, 9))).json()
        paying = hall.pay(booking)
        blocking = hall.block(at(day, 9), at(day, 12), court, over_bookings="cancel")
        _, blocked = await asyncio.gather(paying, blocking)
        assert blocked.status_code == 201, blocked.text
        told = await hall.told(booking["id"])
        assert [event["type"] for event in told] in (
            ["booking.held.v1", "booking.confirmed.v1", "booking.cancelled.v1"],
            ["booking.held.v1", "booking.cancelled.v1", "booking.refund_due.v1"],
        )
        assert len(told[-1]["refunds_due"]) == 1
        assert set(await hall.who_has(court, at(day, 9), at(day, 12))) == {"block"}
