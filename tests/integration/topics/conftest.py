"""A broker on which this installation has no topics yet, and the command line as an operator runs it."""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from deploy.broker import BrokerSettings
from deploy.local.environment import ROOT
from deploy.local.kafka import Kafka
from deploy.topics.cluster import Cluster, connected
from deploy.topics.plan import all_wanted
from deploy.topics.provisioning import provision
from services.chassis.topics import Found, describe
from tests.integration.chassis.conftest import until
from tests.stack import TestStack


@dataclass(frozen=True)
class Ended:
    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        return json.loads(self.output)


async def courtside(environment: Mapping[str, str], *arguments: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "deploy.cli",
        *arguments,
        cwd=ROOT,
        env={"COLUMNS": "200", "PYTHONPATH": f"{ROOT}:{ROOT / 'contracts'}", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return Ended(process.returncode or 0, output.decode(), errors.decode())


@dataclass(frozen=True)
class Installation:
    """One prefix on the broker of the tests."""

    settings: BrokerSettings

    @property
    def environment(self) -> dict[str, str]:
        return {
            "COURTSIDE_KAFKA_BOOTSTRAP": self.settings.kafka_bootstrap,
            "COURTSIDE_TOPIC_PREFIX": self.settings.topic_prefix,
        }

    def name(self, topic: str) -> str:
        return self.settings.topic_prefix + topic

    async def topics(self, *arguments: str, **environment: str) -> Ended:
        return await courtside(self.environment | environment, "topics", *arguments)

    async def found(self, topic: str) -> Found:
        async with connected(self.settings) as cluster:
            return (await describe(cluster, [self.name(topic)]))[self.name(topic)]

    async def configs(self, topic: str, names: Collection[str]) -> dict[str, str]:
        """Any of a topic's settings."""
        async with connected(self.settings) as cluster:
            resource = ConfigResource(ConfigResourceType.TOPIC, self.name(topic), dict.fromkeys(names))
            (answer,) = await cluster.describe_configs([resource])
            return {name: value for name, value, *_ in answer.resources[0][4]}

    async def set(self, topic: str, **configs: str) -> None:
        """As an operator's hand does it, past the plan. `retention_ms` stands for `retention.ms`."""
        wanted = {name.replace("_", "."): value for name, value in configs.items()}
        async with connected(self.settings) as cluster:
            await cluster.set_configs({self.name(topic): wanted})
        await until(f"{topic} {wanted}", lambda: self.configs(topic, wanted), wanted.__eq__)

    async def replace(self, topic: str, partitions: int) -> None:
        """The topic anew, with so many partitions."""
        async with connected(self.settings) as cluster:
            await cluster.delete_topics([self.name(topic)])
            await _until_gone(cluster, self.name(topic))
            await cluster.create([replace(all_wanted(self.settings)[self.name(topic)], partitions=partitions)])

    async def delete(self, topic: str) -> None:
        async with connected(self.settings) as cluster:
            await cluster.delete_topics([self.name(topic)])
            await _until_gone(cluster, self.name(topic))


async def _until_gone(cluster: Cluster, name: str) -> None:
    await until(f"{name} is gone", cluster.list_topics, lambda topics: name not in topics)


@pytest.fixture
def empty(idle_stack: TestStack, kafka: Kafka) -> Installation:
    prefix = f"t{secrets.token_hex(3)}."
    return Installation(BrokerSettings(kafka_bootstrap=idle_stack.bootstrap, topic_prefix=prefix))


@pytest.fixture
async def provisioned(empty: Installation) -> Installation:
    await provision(empty.settings)
    return empty
