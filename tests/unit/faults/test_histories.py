"""What clients were told is written down, and faults come when their point has come."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.faults.clients.client import Client
from tests.faults.clients.history import History
from tests.faults.plan.plan import Point

NEVER = 3_600.0


@pytest.fixture
async def history(tmp_path: Path) -> AsyncIterator[History]:
    with (tmp_path / "history.jsonl").open("w", buffering=1) as file:
        yield History(file)


def client_of(history: History, *answers: httpx.Response | Exception) -> Client:
    """Of a club that answers so, one after the other."""
    left = list(answers)

    def answer(_: httpx.Request) -> httpx.Response:
        next_one = left.pop(0)
        if isinstance(next_one, Exception):
            raise next_one
        return next_one

    transport = httpx.MockTransport(answer)
    return Client(history, httpx.AsyncClient(transport=transport), "http://club.test", "ana", "token")


def written(history: History) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(history.file.name).read_text().splitlines()]


async def test_a_fault_waits_for_its_point(history: History) -> None:
    waiting = asyncio.create_task(history.until(Point("ok hold", 2, NEVER)))
    await history.note("ok", "hold")
    await history.note("fail", "hold")
    await asyncio.sleep(0)
    assert not waiting.done()
    await history.note("ok", "hold")
    async with asyncio.timeout(30):
        await waiting


async def test_on_a_slow_machine_the_point_comes_by_the_clock(history: History) -> None:
    async with asyncio.timeout(30):
        await history.until(Point("ok hold", 1_000_000, 0.1))
    assert history.second >= 0.1


async def test_who_does_not_know_what_became_of_a_call_is_another_from_then_on(history: History) -> None:
    client = client_of(history, httpx.Response(200, json={}), httpx.ReadTimeout("gone"), httpx.Response(503))
    for _ in range(3):
        await client.ask("get", "GET", "/", arguments={})
    told = written(history)
    assert [line["outcome"] for line in told] == ["ok", "info", "info"]
    assert [line["process"] for line in told] == [1, 1, 2]
    assert client.process == 3


async def test_who_asks_again_does_so_with_the_same_key(history: History) -> None:
    client = client_of(history, httpx.ConnectError("reset"), httpx.Response(201, json={"id": "b1"}))
    answer = await client.insist("hold", "POST", "/v1/bookings", arguments={}, body={})
    assert answer.is_ok
    first, second = written(history)
    assert first["idempotency_key"] == second["idempotency_key"] is not None
    assert (first["user"], second["status"], second["answer"]) == ("ana", 201, {"id": "b1"})


async def test_a_refusal_is_final(history: History) -> None:
    client = client_of(history, httpx.Response(409, json={"code": "slot-already-taken"}))
    answer = await client.insist("hold", "POST", "/v1/bookings", arguments={}, body={})
    assert (answer.outcome, answer.code) == ("fail", "slot-already-taken")
    assert len(written(history)) == 1
