"""`/health` of the gateway: one document of all processes and their replicas."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from deploy.gateway.health import Replica, create_app, judge, look

WELL, DEGRADED, DOWN = Replica("pass"), Replica("warn", ("kafka",)), Replica("fail", ("database",))


@pytest.mark.parametrize(
    ("replicas", "status", "output"),
    [
        ([WELL], "pass", "1 of 1 serve"),
        ([WELL, WELL], "pass", "2 of 2 serve"),
        ([WELL, DEGRADED], "warn", "2 of 2 serve; not passing: kafka"),
        ([WELL, DOWN], "warn", "1 of 2 serve; not passing: database"),
        ([DOWN, DOWN], "fail", "0 of 2 serve; not passing: database"),
        ([], "fail", "0 of 0 serve"),
    ],
)
def test_a_process_serves_as_long_as_one_of_its_replicas_does(
    replicas: list[Replica], status: str, output: str
) -> None:
    found = judge(replicas)
    assert (found["status"], found["output"]) == (status, output)


def answering(*answers: tuple[int, Any]) -> httpx.AsyncClient:
    """By port, from 1 on."""

    def answer(request: httpx.Request) -> httpx.Response:
        status, body = answers[(request.url.port or 0) - 1]
        return httpx.Response(status, json=body)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


def ready(database: str, status: str) -> dict[str, Any]:
    return {
        "status": status,
        "checks": {"database": [{"status": database, "output": "at 10.0.0.7: password of booking"}]},
    }


async def test_the_whole_is_as_well_as_its_worst_process_and_tells_no_secret() -> None:
    async with answering((200, ready("pass", "pass")), (503, ready("fail", "fail"))) as client:
        document = await look(client, {"booking-api": "127.0.0.1:1", "booking-worker": "127.0.0.1:2"})
    assert document["status"] == "fail"
    assert [document["checks"][name][0]["status"] for name in ("booking-api", "booking-worker")] == ["pass", "fail"]
    assert "10.0.0.7" not in str(document)


@pytest.mark.parametrize("body", ["<html>", [], {"status": "pass"}, {"checks": {"database": ["pass"]}}])
async def test_what_is_no_health_document_counts_as_down(body: Any) -> None:
    async with answering((200, body)) as client:
        document = await look(client, {"booking-api": "127.0.0.1:1"})
    assert document["status"] == "fail"


async def test_a_name_that_nobody_has_is_a_process_without_replicas() -> None:
    async with answering() as client:
        document = await look(client, {"booking-api": "nobody.invalid:1"})
    assert document["checks"]["booking-api"][0]["output"] == "0 of 0 serve"


@pytest.mark.parametrize(("status", "code"), [("pass", 200), ("warn", 200), ("fail", 503)])
async def test_a_monitor_need_not_read_the_document(status: str, code: int) -> None:
    async with answering((200, ready(status, status))) as client:
        transport = httpx.ASGITransport(create_app({"booking-api": "127.0.0.1:1"}, client))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as monitor:
            answer = await monitor.get("/health")
            assert (answer.status_code, answer.json()["status"]) == (code, status)
            assert (await monitor.get("/livez")).status_code == 200


async def test_who_asks_often_has_no_replica_asked_more_than_once_a_second() -> None:
    asked: list[str] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        await asyncio.sleep(0)  # the others come meanwhile
        return httpx.Response(200, json=ready("pass", "pass"))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        app = create_app({"booking-api": "127.0.0.1:1"}, client)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as monitor:
            answers = await asyncio.gather(*(monitor.get("/health") for _ in range(5)))
            assert {(one.status_code, one.text) for one in answers} == {(200, answers[0].text)}
            assert len(asked) == 1
            app.state.latest.old_at = 0.0  # a second later
            await monitor.get("/health")
    assert len(asked) == 2


async def test_operators_are_told_what_each_replica_of_a_service_says() -> None:
    processes = {"booking-api": "127.0.0.1:1", "booking-worker": "127.0.0.1:2", "payments-api": "127.0.0.1:3"}
    async with answering((200, ready("pass", "pass")), (502, "no document")) as client:
        app = httpx.ASGITransport(create_app(processes, client))
        async with httpx.AsyncClient(transport=app, base_url="http://health") as operator:
            told = (await operator.get("/processes", params={"of": "booking"})).json()["processes"]
    assert told == {
        "booking-api": {"127.0.0.1:1": ready("pass", "pass")},
        "booking-worker": {"127.0.0.1:2": "no document"},
    }
