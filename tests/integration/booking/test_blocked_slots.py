"""Time that the club takes for itself, over bookings and beside them. Events are judged by the outbox."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.integration.booking.halls import PRICE_MINOR, Hall
from tests.integration.booking.slots import MADRID

ROUNDS = 20
HOUR = timedelta(hours=1)

_numbers: Iterator[int] = count()


def a_player() -> str:
    return f"guest{next(_numbers)}"


def at(day: datetime, hour: int) -> datetime:
    """Local time, as it is on the court's door."""
    return day.replace(hour=hour)


async def test_nobody_gets_a_blocked_court(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    answer = await hall.block(at(day, 9), at(day, 12), court)
    assert answer.status_code == 201, answer.text
    (block,) = answer.json()["blocked_slots"]
    assert (block["court_id"], block["starts_at"], block["reason"]) == (court, at(day, 9).isoformat(), "maintenance")
    refused = await hall.hold(a_player(), court, at(day, 10))
    assert (refused.status_code, refused.json()["code"]) == (409, "slot-already-taken")
    assert refused.json()["next_free_slots"][0] == at(day, 12).isoformat()
    assert (await hall.hold(a_player(), court, at(day, 8))).status_code == 201
    assert (await hall.hold(a_player(), court, at(day, 12))).status_code == 201
    query = {"venue_id": str(hall.venue_id), "date": day.date().isoformat()}
    shown = (await hall.club.ask("GET", "/v1/availability", params=query)).json()["days"][0]["courts"]
    free = next(one["slots"] for one in shown if one["court_id"] == court)
    assert [slot["starts_at"] for slot in free] == [at(day, hour).isoformat() for hour in range(13, 22)]


async def test_a_block_is_told_of_with_its_whole_state(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[1]
    block = (await hall.block(at(day, 9), at(day, 12), court)).json()["blocked_slots"][0]
    await hall.unblock(block["id"])
    told = [event for event in await hall.told(court) if event["blocked_slot_id"] == block["id"]]
    assert [(event["type"], event["version"]) for event in told] == [("slot.blocked.v1", 1), ("slot.unblocked.v1", 2)]
    assert {event["series_id"] for event in told} == {block["series_id"]}
    assert {datetime.fromisoformat(event["starts_at"]) for event in told} == {at(day, 9)}
    assert (await hall.hold(a_player(), court, at(day, 10))).status_code == 201


async def test_a_player_neither_blocks_nor_sees_nor_deletes_blocks(hall: Hall) -> None:
    day = hall.a_day()
    block = (await hall.block(at(day, 9), at(day, 10))).json()["blocked_slots"][0]
    body = {
        "court_ids": hall.courts,
        "starts_at": at(day, 9).isoformat(),
        "ends_at": at(day, 10).isoformat(),
        "reason": "mine",
    }
    path = f"/v1/venues/{hall.venue_id}/blocked-slots"
    for method, path_, json in (
        ("POST", path, body),
        ("GET", path, None),
        ("DELETE", f"/v1/blocked-slots/{block['id']}", None),
    ):
        answer = await hall.club.ask(method, path_, "sly", json=json)
        assert (answer.status_code, answer.json()["code"]) == (403, "staff-only")
        assert (await hall.club.ask(method, path_, json=json)).status_code == 401


async def test_bookings_in_the_way_refuse_a_block_and_nothing_is_written(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    booking = await hall.booked(a_player(), court, at(day, 10))
    before = await written(hall)
    refused = await hall.block(at(day, 9), at(day, 12), *hall.courts)
    assert (refused.status_code, refused.json()["code"]) == (409, "bookings-in-the-way")
    assert refused.json()["bookings"] == [
        {name: booking[name] for name in ("id", "court_id", "starts_at", "ends_at")}
    ], "ids and times, and no person"
    assert await written(hall) == before


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


async def test_time_under_two_blocks_stays_blocked_until_both_are_gone(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    first = (await hall.block(at(day, 9), at(day, 13), court)).json()["blocked_slots"][0]["id"]
    second = (await hall.block(at(day, 8), at(day, 11), court)).json()["blocked_slots"][0]["id"]
    assert (await hall.unblock(first)).json() == {"unblocked": 1}
    assert await hall.who_has(court, at(day, 8), at(day, 13)) == ["block", "block", "nobody"]
    await hall.unblock(second)
    assert await hall.who_has(court, at(day, 8), at(day, 13)) == ["nobody"]
    assert (await hall.unblock(second)).status_code == 404


@pytest.mark.parametrize("over", ["refuse", "cancel", "keep"])
async def test_a_dry_run_shows_what_would_happen_and_writes_nothing(hall: Hall, over: str) -> None:
    day, courts = hall.a_day(), hall.courts[:2]
    booking = await hall.booked(a_player(), courts[0], at(day, 10))
    before = await written(hall)
    rule: dict[str, Any] = {"over_bookings": over, "rrule": "FREQ=DAILY;COUNT=2"}
    shown = await hall.block(at(day, 9), at(day, 12), *courts, dry_run=True, **rule)
    assert shown.status_code == 200, shown.text
    assert await written(hall) == before
    assert shown.json()["outcome"] == ("refused" if over == "refuse" else "blocked")
    assert [one["id"] for one in shown.json()["bookings"]] == [booking["id"]]
    real = await hall.block(at(day, 9), at(day, 12), *courts, **rule)
    if over == "refuse":
        assert real.json()["bookings"] == shown.json()["bookings"]
    else:
        assert real.json()["bookings"] == shown.json()["bookings"]
        assert places(real.json()) == places(shown.json())
    hall.a_day()  # the second occurrence's


async def test_a_series_is_deleted_one_by_one_from_here_on_or_whole(hall: Hall) -> None:
    day, courts = hall.a_day(), hall.courts[2:4]
    for _ in range(3):
        hall.a_day()
    series = await hall.block(at(day, 9), at(day, 12), *courts, rrule="FREQ=DAILY;COUNT=4")
    blocks = series.json()["blocked_slots"]
    assert len(blocks) == 8
    assert len({block["series_id"] for block in blocks}) == 1
    assert {datetime.fromisoformat(block["starts_at"]).hour for block in blocks} == {9}

    async def left() -> list[int]:
        """Blocked days of each court."""
        starts = [local(day, number) for number in range(4)]
        having = [[await hall.who_has(court, start, start + HOUR) for start in starts] for court in courts]
        return [days.count(["block"]) for days in having]

    assert await left() == [4, 4]
    assert (await hall.unblock(blocks[0]["id"])).json() == {"unblocked": 1}
    assert sorted(await left()) == [3, 4]
    third_day = [block for block in blocks if datetime.fromisoformat(block["starts_at"]) == local(day, 2)]
    assert (await hall.unblock(third_day[0]["id"], "following")).json() == {"unblocked": 4}
    assert sorted(await left()) == [1, 2]
    assert (await hall.unblock(blocks[1]["id"], "all")).json() == {"unblocked": 3}
    assert await left() == [0, 0]
    told = [
        event for court in courts for event in await hall.told(court) if event["series_id"] == blocks[0]["series_id"]
    ]
    assert Counter(event["type"] for event in told) == {"slot.blocked.v1": 8, "slot.unblocked.v1": 8}


async def test_a_repeated_request_makes_one_block(hall: Hall) -> None:
    day = hall.a_day()
    copies = await asyncio.gather(*(hall.block(at(day, 9), at(day, 12), key=f"block {day}") for _ in range(4)))
    assert {copy.status_code for copy in copies} == {201}
    assert len({copy.content for copy in copies}) == 1
    assert Counter(copy.headers.get("idempotency-replayed") for copy in copies) == {None: 1, "true": 3}


@pytest.mark.parametrize("over", ["refuse", "cancel", "keep"])
async def test_holds_that_race_with_a_block_leave_one_of_them(hall: Hall, over: str) -> None:
    """Two players and the staff want the same hour at once."""
    days = [hall.a_day() for _ in range(2)]
    for number in range(ROUNDS):
        day, court = days[number // 14], hall.courts[4]
        slot = at(day, 8 + number % 14)
        *holds, block = await asyncio.gather(
            hall.hold(a_player(), court, slot),
            hall.hold(a_player(), court, slot),
            hall.block(slot, slot + HOUR, court, over_bookings=over),
        )
        assert {answer.status_code for answer in holds} <= {201, 409}, [answer.text for answer in holds]
        held = [answer.json() for answer in holds if answer.status_code == 201]
        assert len(held) <= 1
        live = [booking for booking in held if await hall.status(booking) == "held"]
        assert await hall.who_has(court, slot, slot + HOUR) == (["booking"] if live else ["block"])
        assert block.status_code == (409 if over == "refuse" and live else 201), block.text
        assert not (over == "cancel" and live)


async def test_a_booking_that_is_cancelled_while_a_block_is_placed_leaves_no_gap(hall: Hall) -> None:
    """Neither sees the other's rows before it commits: the booking's row decides who is first."""
    days = [hall.a_day() for _ in range(2)]
    for number in range(ROUNDS):
        day, court, player = days[number // 14], hall.courts[4], a_player()
        slot = at(day, 8 + number % 14)
        booking = (await hall.hold(player, court, slot)).json()
        block, cancelled = await asyncio.gather(
            hall.block(slot, slot + HOUR, court, over_bookings="keep"), hall.cancel(booking, player)
        )
        assert (block.status_code, cancelled.status_code) == (201, 200)
        assert await hall.who_has(court, slot, slot + HOUR) == ["block"]


async def test_a_booking_that_is_cancelled_while_its_block_is_deleted_leaves_the_hour_free(hall: Hall) -> None:
    days = [hall.a_day() for _ in range(2)]
    for number in range(ROUNDS):
        day, court, player = days[number // 14], hall.courts[4], a_player()
        slot = at(day, 8 + number % 14)
        booking = (await hall.hold(player, court, slot)).json()
        block = (await hall.block(slot, slot + HOUR, court, over_bookings="keep")).json()["blocked_slots"][0]["id"]
        answers = await asyncio.gather(hall.unblock(block), hall.cancel(booking, player))
        assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
        assert await hall.who_has(court, slot, slot + HOUR) == ["nobody"]


async def test_blocks_that_overlap_and_come_and_go_at_once_end_consistently(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[5]
    for number in range(ROUNDS):
        first = (await hall.block(at(day, 9), at(day, 13), court)).json()["blocked_slots"][0]["id"]
        gone, second = await asyncio.gather(hall.unblock(first), hall.block(at(day, 11), at(day, 15), court))
        assert (gone.status_code, second.status_code) == (200, 201), number
        having = await hall.who_has(court, at(day, 9), at(day, 15))
        assert (having[0], set(having[1:])) == ("nobody", {"block"})
        await hall.unblock(second.json()["blocked_slots"][0]["id"])
    assert await hall.who_has(court, at(day, 9), at(day, 15)) == ["nobody"]


async def test_blocks_are_listed_page_by_page(hall: Hall) -> None:
    day, courts = hall.a_day(), hall.courts[:2]
    made = await hall.block(at(day, 9), at(day, 10), *courts, rrule="FREQ=DAILY;COUNT=3")
    for _ in range(2):
        hall.a_day()
    wanted = {block["id"] for block in made.json()["blocked_slots"]}
    blocks_path = f"/v1/venues/{hall.venue_id}/blocked-slots"
    interval = {"from": day.isoformat(), "until": local(day, 3).isoformat()}
    path: str | None = f"{blocks_path}?{urlencode(interval | {'limit': '4'})}"
    seen: list[dict[str, Any]] = []
    sizes = []
    while path:
        answer = await hall.club.ask("GET", path, "keeper", role="staff")
        assert answer.status_code == 200, answer.text
        seen += answer.json()["blocked_slots"]
        sizes.append(len(answer.json()["blocked_slots"]))
        path = answer.links["next"]["url"] if "next" in answer.links else None
    assert sizes == [4, 2]
    assert {block["id"] for block in seen} == wanted
    assert [block["starts_at"] for block in seen] == sorted(block["starts_at"] for block in seen)
    one_court = interval | {"court_id": courts[0]}
    answer = await hall.club.ask("GET", blocks_path, "keeper", role="staff", params=one_court)
    assert len(answer.json()["blocked_slots"]) == 3
    bad = await hall.club.ask("GET", blocks_path, "keeper", role="staff", params={"cursor": "nonsense"})
    assert (bad.status_code, bad.json()["code"]) == (400, "cursor-not-valid")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"ends_at": "2020-01-01T00:00:00Z"}, 422, "ends-before-it-starts"),
        ({"starts_at": "2020-01-01T00:00:00Z", "ends_at": "2020-01-01T01:00:00Z"}, 422, "block-in-the-past"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, 422, "block-too-long"),
        (
            {"starts_at": "9999-12-31T00:00:00-12:00", "ends_at": "9999-12-31T23:00:00-12:00"},
            422,
            "block-too-far-ahead",
        ),
        ({"rrule": "FREQ=DAILY"}, 422, "rule-too-long"),
        ({"rrule": "FREQ=HOURLY;COUNT=2"}, 422, "rule-not-valid"),
        ({"rrule": "FREQ=DAILY;COUNT=366", "court_ids": "all"}, 422, "too-many-blocks"),
        ({"court_ids": [str(uuid4())]}, 404, "court-not-found"),
        ({"court_ids": []}, 422, "request-not-valid"),
        ({"reason": ""}, 422, "request-not-valid"),
        ({"over_bookings": "ignore"}, 422, "request-not-valid"),
    ],
)
async def test_a_block_that_makes_no_sense(hall: Hall, changes: dict[str, Any], status: int, code: str) -> None:
    day, before = hall.a_day(), await written(hall)
    changes = changes | ({"court_ids": hall.courts} if changes.get("court_ids") == "all" else {})
    answer = await hall.block(at(day, 9), at(day, 12), **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await written(hall) == before


async def written(hall: Hall) -> dict[str, int]:
    """All that a refused request or a dry run must leave alone; the staff that asks may be new."""
    more = {table: await hall.club.count(table) for table in ("blocked_slots", "closures")}
    cancelled = {"cancelled": await hall.club.count("bookings", "status = 'cancelled'")}
    tables = await hall.club.written() | more | cancelled
    del tables["users"]
    tables["outbox"] = await hall.club.count("outbox", "aggregatetype <> 'user.profiles'")
    return tables


def places(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(block["court_id"], block["starts_at"]) for block in answer["blocked_slots"]]


def local(day: datetime, later: int) -> datetime:
    """Nine o'clock of a later day, whatever the clocks do between."""
    return (day.replace(hour=9, tzinfo=None) + timedelta(days=later)).replace(tzinfo=MADRID)
