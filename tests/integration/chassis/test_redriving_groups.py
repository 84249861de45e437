"""A group is redriven by a canary: ten first, and the rest only when all ten ended well."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.chassis.dead_letters.domain import CANARY
from tests.integration.chassis.conftest import Bench, until
from tests.integration.chassis.desks import BECAUSE, DeskBench

pytestmark = pytest.mark.slow

GROUP = {"error_class": "Fatal", **BECAUSE}
MANY = 2 * CANARY + 5


@pytest.fixture
async def desk(bench: Bench, tmp_path: Path) -> AsyncIterator[DeskBench]:
    async with DeskBench.open(bench, tmp_path) as opened:
        yield opened


async def start(desk: DeskBench) -> dict[str, Any]:
    answer = await desk.ask("POST", "/redrives", GROUP)
    assert answer.status_code == 202, answer.text
    started: dict[str, Any] = answer.json()
    assert answer.headers["location"].endswith(started["id"])
    return started


async def until_it_is(desk: DeskBench, redrive: dict[str, Any], state: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        told: dict[str, Any] = (await desk.ask("GET", f"/redrives/{redrive['id']}")).json()
        return told

    told: dict[str, Any] = await until(f"redrive {state}", look, lambda seen: seen["state"] == state)
    return told


async def test_the_rest_follows_when_the_canary_lives(desk: DeskBench) -> None:
    async with desk.at_work():
        await desk.die(MANY)
        desk.bench.broken = False
        started = await start(desk)
        assert (started["state"], started["sent"], started["total"]) == ("canary", CANARY, MANY)
        assert "when each of them is in the inbox" in started["next"]
        await until_it_is(desk, started, "sent")
        await desk.until_letters(MANY, state="settled")
        told = await until_it_is(desk, started, "sent")
    assert (told["sent"], told["outcomes"]) == (MANY, {"settled": MANY})
    assert sorted(await desk.bench.effects()) == [("a", number) for number in range(MANY)]
    actions = await desk.actions()
    assert [len(action.dead_letter_ids) for action in actions] == [CANARY, MANY - CANARY]
    assert {(str(action.redrive_id), action.reason) for action in actions} == {(started["id"], BECAUSE["reason"])}


async def test_nothing_follows_when_the_canary_dies(desk: DeskBench) -> None:
    async with desk.at_work():
        before = await desk.die(MANY)
        told = await until_it_is(desk, await start(desk), "halted")
        await desk.until_letters(CANARY, state="died_again")
        open_ones = await desk.until_letters(MANY)
    assert told["sent"] == CANARY
    again = [letter for letter in open_ones if letter["predecessor_id"]]
    assert {letter["predecessor_id"] for letter in again} == {letter["id"] for letter in before[:CANARY]}
    assert {letter["event_id"] for letter in open_ones} == {letter["event_id"] for letter in before}
    assert await desk.bench.effects() == []


async def test_one_group_at_a_time_until_it_is_halted(desk: DeskBench) -> None:
    async with desk.at_work():
        await desk.die(MANY)
    started = await start(desk)  # nobody works, so the canary is on its way for ever
    second = await desk.ask("POST", "/redrives", GROUP)
    assert (second.status_code, second.json()["code"]) == (409, "redrive-under-way")
    assert second.json()["redrive_id"] == started["id"]
    assert len(await desk.letters(state="redriven")) == CANARY
    halt = f"/redrives/{started['id']}/halt"
    halted = await desk.ask("POST", halt, {"reason": "the wrong group"})
    assert (halted.status_code, halted.json()["state"]) == (200, "halted")
    assert (await desk.ask("POST", halt, BECAUSE)).json()["code"] == "redrive-ended"
    assert [action.action for action in await desk.actions()] == ["redrive", "halt"]
    assert (await start(desk))["total"] == MANY - CANARY


async def test_a_group_of_none_is_refused(desk: DeskBench) -> None:
    refused = await desk.ask("POST", "/redrives", GROUP)
    assert (refused.status_code, refused.json()["code"]) == (409, "nothing-to-redrive")
    assert await desk.actions() == []
