"""A booking moves to another slot, in one step. Events are judged by the outbox."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from services.booking.venues.seed import court_id
from tests.integration.booking.desks import Desk
from tests.integration.booking.slots import a_free_slot, tomorrow


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
