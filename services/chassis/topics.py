"""Topics as the broker has them, and what keeps a service from working on them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import UnknownTopicOrPartitionError, for_code

from courtside_contracts.topics import Topic, all_topics

CONFIGS = ("cleanup.policy", "retention.ms", "max.message.bytes", "message.timestamp.type", "min.insync.replicas")


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the broker has it."""

    partitions: int
    replicas: int
    configs: Mapping[str, str]


def used_by(service: str, reads: Sequence[Topic]) -> tuple[Topic, ...]:
    """What it reads and what it writes, its retry tiers and dead letters among that."""
    written = (topic for topic in all_topics() if topic.written_by == service)
    return tuple(dict.fromkeys((*reads, *written)))


async def describe(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, Found]:
    """Those of them that are there and may be seen. All are asked for, since asking by name can create a topic."""
    there = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics() if topic["topic"] in names}
    configs = await _configs(admin, there)
    return {
        name: Found(len(partitions), min((len(each["replicas"]) for each in partitions), default=0), configs[name])
        for name, partitions in there.items()
        if name in configs
    }


async def _configs(admin: AIOKafkaAdminClient, names: Collection[str]) -> dict[str, dict[str, str]]:
    wanted = [ConfigResource(ConfigResourceType.TOPIC, name, dict.fromkeys(CONFIGS)) for name in names]
    configs: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(wanted):
        for code, _, _, name, entries in answer.resources:
            if code == UnknownTopicOrPartitionError.errno:
                continue  # deleted meanwhile
            if code:
                raise for_code(code)(name)
            configs[name] = {setting: value for setting, value, *_ in entries}
    return configs


def shortcomings(topic: Topic, found: Found | None) -> Iterator[str]:
    """What keeps a service from working on it, or takes records away that a promise rests on. More than is asked for is welcome."""
    if found is None:
        yield "is not there, or this user may not see it"
        return
    if found.partitions < topic.partitions:
        yield f"has {found.partitions} partitions, not {topic.partitions}"
    for setting in ("cleanup.policy", "message.timestamp.type"):
        if found.configs[setting] != topic.configs[setting]:
            yield f"has {setting}={found.configs[setting]}, not {topic.configs[setting]}"
    if (most := int(found.configs["max.message.bytes"])) < topic.max_message_bytes:
        yield f"takes {most} bytes, not {topic.max_message_bytes}"
    kept, wanted = (configs["retention.ms"] for configs in (found.configs, topic.configs))
    if topic.cleanup == "delete" and retention_ms(kept) < retention_ms(wanted):
        yield f"keeps records for {kept} ms, not {'ever' if wanted == '-1' else f'{wanted} ms'}"


def weaknesses(found: Found, insync: int | None) -> Iterator[str]:
    """What a service can work with, and an operator should know. `insync` is the setting; all replicas but one when not given."""
    wanted, enough = insync or all_but_one(found.replicas), int(found.configs["min.insync.replicas"])
    if enough < wanted:
        yield f"takes a record for written when {enough} of {found.replicas} brokers have it, not {wanted}"


def all_but_one(replicas: int) -> int:
    """So that one broker may be away, and none that comes back late has what nobody else has."""
    return max(1, replicas - 1)


def retention_ms(written: str) -> float:
    return float("inf") if written == "-1" else int(written)
