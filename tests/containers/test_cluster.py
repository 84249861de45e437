"""Three brokers and two of each process: a broker is killed and comes back in the middle of a busy evening."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from courtside_contracts.topics import BOOKING_EVENTS
from deploy.broker import BrokerSettings
from deploy.topics.cluster import connected
from tests.containers.composed import PATIENCE_SECONDS, Compose, run, serving
from tests.e2e.conftest import finished
from tests.integration.chassis.conftest import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


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
