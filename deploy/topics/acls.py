"""Who may do what at the broker: one file for each user in `deploy/acls/`, and the broker made to agree, to the letter.

A user of these files ends with just the rights of its file; users that no file names are left alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.broker import BrokerSettings
from deploy.topics.cluster import Cluster, connected

FOLDER = Path(__file__).resolve().parents[1] / "acls"
ANY_HOST = "*"
ALLOW = 3
LITERAL, PREFIXED = 3, 4
TOPIC, GROUP = 2, 3
"""Numbers of Kafka's protocol."""


class Operation(IntEnum):
    Read = 3
    Write = 4
    Describe = 8
    DescribeConfigs = 10


class Grant(BaseModel):
    """A name that ends in `*` stands for all that begin so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operations: tuple[Literal["Read", "Write", "Describe", "DescribeConfigs"], ...]
    topics: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Rights(BaseModel):
    """One file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    user: str
    allow: tuple[Grant, ...]

    @classmethod
    def read(cls, file: Path) -> Rights:
        return cls.model_validate(tomllib.loads(file.read_text()))

    def acls(self, prefix: str) -> Iterator[Acl]:
        """An installation's prefix stands before its users too: two on one cluster share nothing."""
        for grant in self.allow:
            named = [(TOPIC, name) for name in grant.topics] + [(GROUP, name) for name in grant.groups]
            for kind, name in named:
                pattern = PREFIXED if name.endswith("*") else LITERAL
                for operation in grant.operations:
                    resource = prefix + name.removesuffix("*")
                    yield Acl(kind, resource, pattern, f"User:{prefix}{self.user}", ANY_HOST, Operation[operation])


@dataclass(frozen=True, slots=True)
class Acl:
    """As Kafka's protocol has it, its fields in the protocol's order."""

    kind: int
    name: str
    pattern: int
    principal: str
    host: str
    operation: int
    permission: int = ALLOW

    def fields(self) -> tuple[int, str, int, str, str, int, int]:
        return self.kind, self.name, self.pattern, self.principal, self.host, self.operation, self.permission


@dataclass(frozen=True, slots=True)
class Difference:
    acl: Acl
    missing: bool
    """Else it is one too many."""

    def shown(self) -> dict[str, str]:
        kind = {TOPIC: "topic ", GROUP: "group "}.get(self.acl.kind, f"resource {self.acl.kind} ")
        known = {operation.value: operation.name for operation in Operation}
        return {
            "change": "grant" if self.missing else "take away",
            "user": self.acl.principal,
            "operation": known.get(self.acl.operation, str(self.acl.operation)),
            "on": kind + self.acl.name + ("*" if self.acl.pattern == PREFIXED else ""),
        }


def all_rights() -> list[Rights]:
    return [Rights.read(file) for file in sorted(FOLDER.glob("*.toml"))]


async def plan(settings: BrokerSettings) -> list[Difference]:
    async with connected(settings) as cluster:
        return await _differences(cluster, settings.topic_prefix)


async def apply(settings: BrokerSettings) -> list[Difference]:
    """Grants before it takes away, so that a service at work loses nothing that it keeps."""
    async with connected(settings) as cluster:
        found = await _differences(cluster, settings.topic_prefix)
        for difference in found:
            change = cluster.create_acl if difference.missing else cluster.delete_acl
            await change(*difference.acl.fields())
    return found


async def _differences(cluster: Cluster, prefix: str) -> list[Difference]:
    missing, surplus = [], []
    for rights in all_rights():
        wanted = set(rights.acls(prefix))
        there = {Acl(*fields) for fields in await cluster.acls_of(f"User:{prefix}{rights.user}")}
        missing += [Difference(acl, missing=True) for acl in sorted(wanted - there, key=Acl.fields)]
        surplus += [Difference(acl, missing=False) for acl in sorted(there - wanted, key=Acl.fields)]
    return missing + surplus
