"""A second broker beside that of the run: while it is away, a partition that only it has is without a leader, and the other answers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.environment import HOST
from deploy.local.kafka import Kafka
from deploy.local.processes import Job
from tests.ports import free_port
from tests.stack import TestStack

NAME = "second-kafka"
NODE = 2


@dataclass(frozen=True)
class SecondBroker:
    stack: TestStack
    kafka: Kafka

    @classmethod
    @asynccontextmanager
    async def open(cls, stack: TestStack, folder: Path) -> AsyncIterator[SecondBroker]:
        second = cls(stack, replace(stack.kafka, folder=folder, port=free_port()))
        await second._prepare()
        await second.start()
        try:
            yield second
        finally:
            await second.stop()

    async def start(self) -> None:
        part = replace(self.kafka.part(), name=NAME)
        self.stack.processes.start(part)
        await self.stack.processes.until_ready(part)

    async def stop(self) -> None:
        await self.stack.processes.stop(NAME)

    async def create_topic(self, name: str) -> None:
        """Of one partition, which no other broker has."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.stack.bootstrap)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, -1, -1, replica_assignments={0: [NODE]})])
        finally:
            await admin.close()

    async def _prepare(self) -> None:
        """The first one's configuration, with the roles, the number, the port and the folder of a broker that is no controller."""
        first = self.stack.kafka
        told = first.properties.read_text()
        for pattern, mine in (
            ("process.roles=.*", "process.roles=broker"),
            ("node.id=.*", f"node.id={NODE}"),
            ("(?<!advertised.)listeners=.*", f"listeners=PLAINTEXT://{HOST}:{self.kafka.port}"),
            ("advertised.listeners=.*", f"advertised.listeners=PLAINTEXT://{HOST}:{self.kafka.port}"),
            ("log.dirs=.*", f"log.dirs={self.kafka.data}"),
        ):
            told = re.sub(f"(?m)^{pattern}$", mine, told)
        self.kafka.folder.mkdir(parents=True)
        self.kafka.properties.write_text(told)
        meta = (first.data / "meta.properties").read_text()
        cluster = next(line.partition("=")[2] for line in meta.splitlines() if line.startswith("cluster.id="))
        arguments = "format", "--cluster-id", cluster, "--config", str(self.kafka.properties)
        await self.stack.processes.finish(
            Job("second-kafka-format", self.kafka._java("kafka.tools.StorageTool", *arguments))
        )
