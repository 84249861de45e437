"""Blocks where somebody has booked: refused, or the bookings are cancelled, or kept inside. Events are judged by the outbox."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.booking.halls import PRICE_MINOR, Hall, a_player, at

pytestmark = pytest.mark.slow


async def test_bookings_in_the_way_refuse_a_block_and_nothing_is_written(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    booking = await hall.booked(a_player(), court, at(day, 10))
    before = await hall.written()
    refused = await hall.block(at(day, 9), at(day, 12), *hall.courts)
    assert (refused.status_code, refused.json()["code"]) == (409, "bookings-in-the-way")
    assert refused.json()["bookings"] == [
        {name: booking[name] for name in ("id", "court_id", "starts_at", "ends_at")}
    ], "ids and times, and no person"
    assert await hall.written() == before


async def test_a_hold_that_is_over_is_in_nobodys_way(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    booking = (await hall.hold(a_player(), court, at(day, 10))).json()
    await hall.club.database.execute("UPDATE bookings SET hold_expires_at = now() WHERE id = $1", booking["id"])
    assert (await hall.block(at(day, 9), at(day, 12), court)).status_code == 201
    assert await hall.status(booking) == "expired"
    assert await hall.who_has(court, at(day, 9), at(day, 12)) == ["block"] * 3


async def test_a_block_may_cancel_what_is_in_its_way(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    paid = await hall.booked(a_player(), court, at(day, 9))
    held = (await hall.hold(a_player(), court, at(day, 11))).json()
    beside = await hall.booked(a_player(), court, at(day, 12))
    answer = await hall.block(at(day, 9), at(day, 12), court, over_bookings="cancel", reason="floodlights broken")
    assert answer.status_code == 201, answer.text
    assert {booking["id"] for booking in answer.json()["bookings"]} == {paid["id"], held["id"]}
    told = (await hall.told(paid["id"]))[-1]
    assert (told["type"], told["cancelled_by"], told["reason"]) == (
        "booking.cancelled.v1",
        "club",
        "floodlights broken",
    )
    (due,) = told["refunds_due"]
    assert (due["amount_minor"], due["reason"]) == (PRICE_MINOR, "cancelled_by_club")
    assert (await hall.told(held["id"]))[-1]["refunds_due"] == []
    assert await hall.status(beside) == "confirmed"
    assert set(await hall.who_has(court, at(day, 9), at(day, 12))) == {"block"}


async def test_a_payment_that_comes_after_the_block_is_owed_back(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    held = (await hall.hold(a_player(), court, at(day, 9))).json()
    await hall.block(at(day, 9), at(day, 12), court, over_bookings="cancel")
    await hall.pay(held)
    told = (await hall.told(held["id"]))[-1]
    assert (told["type"], len(told["refunds_due"])) == ("booking.refund_due.v1", 1)
    assert "booking" not in await hall.who_has(court, at(day, 9), at(day, 12))


async def test_a_kept_booking_stands_inside_the_block_and_leaves_its_time_blocked(hall: Hall) -> None:
    day, court, player = hall.a_day(), hall.courts[0], a_player()
    kept = await hall.booked(player, court, at(day, 10))
    answer = await hall.block(at(day, 9), at(day, 12), court, over_bookings="keep")
    assert [booking["id"] for booking in answer.json()["bookings"]] == [kept["id"]]
    assert await hall.who_has(court, at(day, 9), at(day, 12)) == ["block", "booking", "block"]
    assert (await hall.cancel(kept, player)).status_code == 200
    assert await hall.who_has(court, at(day, 9), at(day, 12)) == ["block"] * 3
    assert (await hall.hold(a_player(), court, at(day, 10))).status_code == 409


async def test_a_kept_booking_that_moves_away_or_runs_out_leaves_its_time_blocked(hall: Hall) -> None:
    day, court, player = hall.a_day(), hall.courts[0], a_player()
    mover = await hall.booked(player, court, at(day, 9))
    held = (await hall.hold(a_player(), court, at(day, 11))).json()
    await hall.block(at(day, 9), at(day, 12), court, over_bookings="keep")
    path, target = f"/v1/bookings/{mover['id']}/reschedule", at(day, 15).isoformat()
    moved = await hall.club.ask("POST", path, player, json={"court_id": court, "starts_at": target})
    assert moved.status_code == 200, moved.text
    back = await hall.club.ask("POST", path, player, json={"court_id": court, "starts_at": at(day, 9).isoformat()})
    assert (back.status_code, back.json()["code"]) == (409, "slot-already-taken")
    await hall.club.database.execute("UPDATE bookings SET hold_expires_at = now() WHERE id = $1", held["id"])
    assert (await hall.hold(a_player(), court, at(day, 11))).status_code == 409
    assert await hall.status(held) == "expired"
    assert set(await hall.who_has(court, at(day, 9), at(day, 12))) == {"block"}


async def test_a_kept_booking_of_a_deleted_block_leaves_its_time_free(hall: Hall) -> None:
    day, court, player = hall.a_day(), hall.courts[0], a_player()
    kept = await hall.booked(player, court, at(day, 10))
    block = (await hall.block(at(day, 9), at(day, 12), court, over_bookings="keep")).json()["blocked_slots"][0]
    await hall.unblock(block["id"])
    assert await hall.who_has(court, at(day, 9), at(day, 12)) == ["nobody", "booking", "nobody"]
    await hall.cancel(kept, player)
    assert await hall.who_has(court, at(day, 9), at(day, 12)) == ["nobody"]


@pytest.mark.parametrize("over", ["refuse", "cancel", "keep"])
async def test_a_dry_run_shows_what_would_happen_and_writes_nothing(hall: Hall, over: str) -> None:
    day, courts = hall.a_day(), hall.courts[:2]
    booking = await hall.booked(a_player(), courts[0], at(day, 10))
    before = await hall.written()
    rule: dict[str, Any] = {"over_bookings": over, "rrule": "FREQ=DAILY;COUNT=2"}
    shown = await hall.block(at(day, 9), at(day, 12), *courts, dry_run=True, **rule)
    assert shown.status_code == 200, shown.text
    assert await hall.written() == before
    assert shown.json()["outcome"] == ("refused" if over == "refuse" else "blocked")
    assert [one["id"] for one in shown.json()["bookings"]] == [booking["id"]]
    real = await hall.block(at(day, 9), at(day, 12), *courts, **rule)
    if over == "refuse":
        assert real.json()["bookings"] == shown.json()["bookings"]
    else:
        assert real.json()["bookings"] == shown.json()["bookings"]
        assert places(real.json()) == places(shown.json())
    hall.a_day()  # the second occurrence's


def places(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(block["court_id"], block["starts_at"]) for block in answer["blocked_slots"]]
