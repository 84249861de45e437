"""Time that the club takes for itself. Events are judged by the outbox."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.integration.booking.halls import Hall, a_player, at
from tests.integration.chassis.conftest import until

HOUR = timedelta(hours=1)


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


async def test_time_under_two_blocks_stays_blocked_until_both_are_gone(hall: Hall) -> None:
    day, court = hall.a_day(), hall.courts[0]
    first = (await hall.block(at(day, 9), at(day, 13), court)).json()["blocked_slots"][0]["id"]
    second = (await hall.block(at(day, 8), at(day, 11), court)).json()["blocked_slots"][0]["id"]
    assert (await hall.unblock(first)).json() == {"unblocked": 1}
    assert await hall.who_has(court, at(day, 8), at(day, 13)) == ["block", "block", "nobody"]
    await hall.unblock(second)
    assert await hall.who_has(court, at(day, 8), at(day, 13)) == ["nobody"]
    assert (await hall.unblock(second)).status_code == 404


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
        starts = [at(day, 9, number) for number in range(4)]
        having = [[await hall.who_has(court, start, start + HOUR) for start in starts] for court in courts]
        return [days.count(["block"]) for days in having]

    assert await left() == [4, 4]
    assert (await hall.unblock(blocks[0]["id"])).json() == {"unblocked": 1}
    assert sorted(await left()) == [3, 4]
    third_day = [block for block in blocks if datetime.fromisoformat(block["starts_at"]) == at(day, 9, 2)]
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


async def test_a_request_that_is_repeated_when_its_time_is_over_has_its_answer(hall: Hall) -> None:
    begin, end = datetime.now(UTC) - HOUR, datetime.now(UTC) + timedelta(seconds=2)
    first = await hall.block(begin, end, key="until just now")
    assert first.status_code == 201, first.text
    await until("that it is over", lambda: hall.block(begin, end), lambda answer: answer.status_code == 422)
    again = await hall.block(begin, end, key="until just now")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"


async def test_blocks_are_listed_page_by_page(hall: Hall) -> None:
    day, courts = hall.a_day(), hall.courts[:2]
    made = await hall.block(at(day, 9), at(day, 10), *courts, rrule="FREQ=DAILY;COUNT=3")
    for _ in range(2):
        hall.a_day()
    wanted = {block["id"] for block in made.json()["blocked_slots"]}
    blocks_path = f"/v1/venues/{hall.venue_id}/blocked-slots"
    interval = {"from": day.isoformat(), "until": at(day, 9, 3).isoformat()}
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


async def test_a_list_of_blocks_is_continued_by_its_own_cursor_alone(hall: Hall) -> None:
    day, path = hall.a_day(), f"/v1/venues/{hall.venue_id}/blocked-slots"
    await hall.block(at(day, 9), at(day, 10), *hall.courts[:2])
    first = await hall.club.ask("GET", path, "keeper", role="staff", params={"limit": "1", "from": day.isoformat()})
    cursor = first.json()["next_cursor"]
    for query in ({"cursor": "nonsense"}, {"cursor": cursor}, {"cursor": cursor, "from": at(day, 9).isoformat()}):
        bad = await hall.club.ask("GET", path, "keeper", role="staff", params=query)
        assert (bad.status_code, bad.json()["code"]) == (400, "cursor-not-valid")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"from": "0001-01-01T00:00:00+14:00"}, "request-not-valid"),
        ({"until": "9999-12-31T23:59:59-12:00"}, "request-not-valid"),
        ({"from": "2030-01-01T00:00:00Z", "until": "2030-01-01T00:00:00Z"}, "ends-before-it-starts"),
        ({"limit": "101"}, "request-not-valid"),
    ],
)
async def test_a_list_of_blocks_that_makes_no_sense(hall: Hall, query: dict[str, str], code: str) -> None:
    path = f"/v1/venues/{hall.venue_id}/blocked-slots"
    answer = await hall.club.ask("GET", path, "keeper", role="staff", params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


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
    day, before = hall.a_day(), await hall.written()
    changes = changes | ({"court_ids": hall.courts} if changes.get("court_ids") == "all" else {})
    answer = await hall.block(at(day, 9), at(day, 12), **changes)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert await hall.written() == before
