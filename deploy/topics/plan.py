"""What must change at the broker so that it has the topics of `courtside_contracts.topics`. Pure.

Three changes are not made just so:

- more partitions: the keys of a topic move, so a booking's next event may overtake an earlier one; `--add-partitions` says yes;
- less kept (a shorter retention, another cleanup policy): records are deleted; `--allow-data-loss` says yes;
- fewer partitions, or another number of replicas: never made here. Kafka takes no partition away, and moving replicas is a plan of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from courtside_contracts.topics import Topic, all_topics
from deploy.broker import BrokerSettings
from services.chassis.topics import Found, retention_ms

ADD_PARTITIONS = "--add-partitions"
ALLOW_DATA_LOSS = "--allow-data-loss"
NEVER = "never"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A topic of this installation: under its prefix, on so many brokers."""

    name: str
    partitions: int
    replicas: int
    configs: Mapping[str, str]

    @classmethod
    def of(cls, topic: Topic, settings: BrokerSettings) -> Wanted:
        configs = topic.configs | {"min.insync.replicas": str(settings.insync)}
        return cls(settings.topic_prefix + topic.name, topic.partitions, settings.replication_factor, configs)


@dataclass(frozen=True, slots=True)
class Change:
    """`now` is None for a topic that is to be made; `obstacle` is the flag that it needs, or that it is never made."""

    topic: str
    setting: str
    now: str | None
    wanted: str
    obstacle: str = ""


def all_wanted(settings: BrokerSettings) -> dict[str, Wanted]:
    return {wanted.name: wanted for wanted in (Wanted.of(topic, settings) for topic in all_topics())}


def changes(wanted: Mapping[str, Wanted], found: Mapping[str, Found]) -> list[Change]:
    return [change for name, topic in wanted.items() for change in _changes(topic, found.get(name))]


def _changes(wanted: Wanted, found: Found | None) -> Iterator[Change]:
    """A new topic has one for each of its settings, so that a plan shows what it will be."""
    has: dict[str, str] = {} if found is None else _settings(found.partitions, found.replicas, found.configs)
    for setting, value in _settings(wanted.partitions, wanted.replicas, wanted.configs).items():
        now = has.get(setting)
        if now != value:
            yield Change(wanted.name, setting, now, value, _obstacle(setting, now, value) if now else "")


def _settings(partitions: int, replicas: int, configs: Mapping[str, str]) -> dict[str, str]:
    return {"partitions": str(partitions), "replication.factor": str(replicas), **configs}


def _obstacle(setting: str, now: str, wanted: str) -> str:
    match setting:
        case "partitions":
            return ADD_PARTITIONS if int(wanted) > int(now) else NEVER
        case "replication.factor":
            return NEVER
        case "retention.ms":
            return ALLOW_DATA_LOSS if retention_ms(wanted) < retention_ms(now) else ""
        case "cleanup.policy":
            return ALLOW_DATA_LOSS
    return ""
