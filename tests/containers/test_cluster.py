"""Three brokers and two of each process: a broker is killed, and every process restarted, in the middle of a busy evening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest

from courtside_contracts.topics import BOOKING_EVENTS
from deploy.broker import BrokerSettings
from deploy.gateway.health import DEFAULT_PROCESSES
from deploy.topics.cluster import connected
from tests.containers.composed import PATIENCE_SECONDS, Compose, run, serving
from tests.e2e.conftest import finished
from tests.integration.chassis.conftest import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

PLAYERS_WAIT_SECONDS = 300
"""A record that found nobody at work waits for a minute, perhaps twice, and two cores carry three brokers and twelve processes."""


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Compose]:
    compose = Compose(tmp_path_factory.mktemp("cluster"), ("docker-compose.yml", "deploy/compose.cluster.yml"))
    async with compose.up():
        yield compose


async def test_a_broker_that_is_killed_and_comes_back_costs_no_booking(
    cluster: Compose, client: httpx.AsyncClient
) -> None:
    async with connected(BrokerSettings(kafka_bootstrap=cluster.bootstrap)) as brokers:
        [topic] = await brokers.describe_topics([BOOKING_EVENTS.name])
    assert {len(partition["replicas"]) for partition in topic["partitions"]} == {3}
    await until(
        "two of each", lambda: serving(client, cluster), lambda seen: set(seen.values()) == {2}, PATIENCE_SECONDS
    )
    demo = await cluster.demo("--gateway", cluster.gateway, "--count", "40", "--concurrency", "5")
    await _charged(cluster, client, demo, 5)
    [broker] = await cluster.containers("kafka-2")
    await run("docker", "kill", broker)
    await _charged(cluster, client, demo, 15)
    await run("docker", "start", broker)
    result = await finished(demo)
    assert [result[name] for name in ("confirmed", "charges", "mails", "events")] == [40, 40, 40, 200]


async def _charged(cluster: Compose, client: httpx.AsyncClient, demo: asyncio.subprocess.Process, wanted: int) -> None:
    while await cluster.charges(client) < wanted:
        assert demo.returncode is None, "the run ended before its middle"
        await asyncio.sleep(0.05)


async def test_a_rolling_restart_under_load_shows_nobody_an_error(cluster: Compose, client: httpx.AsyncClient) -> None:
    """Of each process one replica, then the other: each drains, and the gateway passes over it."""
    began, before = datetime.now(UTC).isoformat(), await cluster.charges(client)
    restarting = asyncio.create_task(restart_by_halves(cluster, client))
    confirmed = 0
    while not restarting.done():
        confirmed += await ten_play(cluster)
    await restarting
    confirmed += await ten_play(
        cluster
    )  # what was begun before them has come to its end too, and so has what was done twice
    assert await cluster.charges(client) - before == confirmed
    assert {booking: done for booking, done in (await cluster.effects(client)).items() if done != (1, 1)} == {}
    assert await cluster.errors_shown(since=began) == []


async def ten_play(cluster: Compose) -> int:
    busy = ("--count", "10", "--concurrency", "3", "--patience", str(PLAYERS_WAIT_SECONDS))
    result = await finished(await cluster.demo("--gateway", cluster.gateway, *busy))
    assert [result[name] for name in ("confirmed", "charges", "mails", "events")] == [10, 10, 10, 50]
    return 10


async def restart_by_halves(cluster: Compose, client: httpx.AsyncClient) -> None:
    replicas = [await cluster.containers(process) for process in DEFAULT_PROCESSES]
    for half in (0, 1):
        await run("docker", "restart", "--time", "40", *(pair[half] for pair in replicas))
        await until(
            "two of each", lambda: serving(client, cluster), lambda seen: set(seen.values()) == {2}, PATIENCE_SECONDS
        )
