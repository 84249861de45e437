"""PostgreSQL and Kafka of a run. Each service has a listener of its own at the broker, which advertises that service's link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from deploy.local.environment import HOST, SERVICES
from deploy.local.kafka import Kafka, Listener
from tests.ports import free_port
from tests.stack import QUICK, TestStack

SETTINGS = QUICK | {"synchronous_commit": "on", "max_connections": "150"}
"""What was committed is with the operating system, so that a server that is stopped at once loses nothing; the machine itself stays on."""


@dataclass
class LinkedStack(TestStack):
    """The test stack, with a broker of four doors: `bootstrap` is that of the harness, and leads through no link."""

    doors: Mapping[str, int] = field(default_factory=lambda: {service: free_port() for service in SERVICES})
    """By service: where its link leads to."""
    links: Mapping[str, int] = field(default_factory=lambda: {service: free_port() for service in SERVICES})
    """By service: the port of its link, which the broker advertises there."""

    @property
    def kafka(self) -> Kafka:
        return replace(super().kafka, controller_port=self.controller_port, listener=Listener(properties=self._doors()))

    @cached_property
    def controller_port(self) -> int:
        return free_port()

    def _doors(self) -> dict[str, str]:
        own = f"PLAINTEXT://{HOST}:{self.installation.ports.kafka}"
        doors = [f"{service.upper()}://{HOST}:{port}" for service, port in self.doors.items()]
        links = [f"{service.upper()}://{HOST}:{port}" for service, port in self.links.items()]
        names = ["PLAINTEXT", "CONTROLLER", *(service.upper() for service in self.doors)]
        return {
            "listeners": ",".join([own, *doors, f"CONTROLLER://{HOST}:{self.controller_port}"]),
            "advertised.listeners": ",".join([own, *links]),
            "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in names),
        }
