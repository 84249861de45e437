"""A letter that was redriven ends, whatever its handler finds to do; one that is lost on its way can be taken up again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.chassis.consuming import Delivery
from services.chassis.dead_letters.domain import LOST_AFTER
from services.chassis.retrying import Fatal, Ladder
from tests.integration.chassis.conftest import Bench, Called, until
from tests.integration.chassis.desks import BECAUSE, DeskBench

pytestmark = pytest.mark.slow


@pytest.fixture
async def desk(bench: Bench, tmp_path: Path) -> AsyncIterator[DeskBench]:
    async with DeskBench.open(bench, tmp_path) as opened:
        yield opened


def nothing_to_do_once_mended(bench: Bench) -> None:
    """As when a hold has ended, or a webhook is about no payment: such a handler just returns."""

    async def call(_: Delivery[Called]) -> None:
        if bench.broken:
            raise Fatal("a person must look at this")

    bench.call = call  # type: ignore[method-assign, assignment]


async def test_a_redriven_letter_is_settled_when_nothing_is_left_to_do(desk: DeskBench) -> None:
    nothing_to_do_once_mended(desk.bench)
    async with desk.at_work():
        (letter,) = await desk.die(1, Called)
        desk.bench.broken = False
        assert (await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)).status_code == 202
        await desk.until_state(letter, "settled")
    assert await desk.bench.effects() == []


async def test_a_canary_of_letters_with_nothing_to_do_lives(desk: DeskBench) -> None:
    nothing_to_do_once_mended(desk.bench)
    async with desk.at_work():
        await desk.die(12, Called)
        desk.bench.broken = False
        assert (await desk.ask("POST", "/redrives", BECAUSE)).status_code == 202
        await desk.until_letters(12, state="settled")


async def lose(desk: DeskBench, *, of_a_group: bool = False) -> tuple[dict[str, Any], dict[str, Any]]:
    """A letter that was redriven, with nobody there to carry it anywhere, and the answer."""
    async with desk.at_work():
        (letter,) = await desk.die(1)
    path, status = ("/redrives" if of_a_group else f"/{letter['id']}/redrive"), 202
    sent = await desk.ask("POST", path, BECAUSE)
    assert sent.status_code == status, sent.text
    return letter, sent.json()


async def test_a_letter_that_was_lost_on_its_way_is_opened_again_and_has_its_effect(desk: DeskBench) -> None:
    letter, _ = await lose(desk)
    await desk.forget_outbox()
    await desk.age(letter, LOST_AFTER)
    reopened = await desk.ask("POST", f"/{letter['id']}/reopen", {"reason": "its topic was deleted"})
    assert (reopened.status_code, reopened.json()["state"]) == (200, "open"), reopened.text
    assert (reopened.json()["sent_as"], reopened.json()["decided_at"]) == (None, None)
    desk.bench.broken = False
    async with desk.at_work():
        assert (await desk.ask("POST", f"/{letter['id']}/redrive", BECAUSE)).status_code == 202
        told = await desk.until_state(letter, "settled")
    assert [action["action"] for action in told["actions"]] == ["redrive", "reopen", "redrive"]
    assert told["actions"][1]["reason"] == "its topic was deleted"
    assert await desk.bench.effects() == [("a", 0)]


async def test_a_letter_that_may_still_come_back_is_not_opened(desk: DeskBench) -> None:
    letter, _ = await lose(desk)
    await desk.age(letter, Ladder("").longest)
    refused = await desk.ask("POST", f"/{letter['id']}/reopen", BECAUSE)
    assert (refused.status_code, refused.json()["code"]) == (409, "still-on-its-way")
    assert "lost_at" in refused.json()
    assert (await desk.show(letter))["state"] == "redriven"


async def test_only_what_was_redriven_can_be_lost(desk: DeskBench) -> None:
    async with desk.at_work():
        (letter,) = await desk.die(1)
    for state in ("open", "discarded"):
        refused = await desk.ask("POST", f"/{letter['id']}/reopen", BECAUSE)
        assert (refused.status_code, refused.json()["code"]) == (409, "dead-letter-not-redriven")
        assert refused.json()["state"] == state
        await desk.ask("POST", f"/{letter['id']}/discard", BECAUSE)


async def test_a_canary_that_was_lost_ends_its_group(desk: DeskBench) -> None:
    letter, started = await lose(desk, of_a_group=True)
    await desk.forget_outbox()
    await desk.age(letter, LOST_AFTER + timedelta(days=1))
    assert (await desk.ask("POST", f"/{letter['id']}/reopen", BECAUSE)).status_code == 200

    async def look() -> dict[str, Any]:
        told: dict[str, Any] = (await desk.ask("GET", f"/redrives/{started['id']}")).json()
        return told

    async with desk.at_work():
        told = await until("the end of the group", look, lambda seen: seen["state"] == "halted")
    assert told["outcomes"] == {"open": 1}
    assert await desk.bench.effects() == []
