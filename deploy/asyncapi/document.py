"""`contracts/asyncapi.yaml`: all topics and all services as one AsyncAPI 3.0 document, generated from the code.

FastStream writes such a document too, one for each service and with all types of a topic as one message; downstream teams
need each event type by its name, with its headers and its key.
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import yaml

from courtside_contracts.envelope import CONTENT_TYPE
from courtside_contracts.topics import LADDER, SERVICES, Tier, Topic, all_topics, dead_letter_topic, retry_topic
from deploy.asyncapi import messages, traffic
from deploy.asyncapi.messages import FAILED, TOMBSTONE, Json
from deploy.asyncapi.traffic import Kind
from deploy.local.environment import HOST, ROOT, Ports

CONTRACTS = ROOT / "contracts"


def document() -> str:
    written = json.loads(json.dumps(_document()))  # no object twice: YAML would write anchors
    text: str = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=120)
    return text


def _document() -> Json:
    kinds = traffic.kinds()
    return {
        "asyncapi": "3.0.0",
        "info": _info(),
        "defaultContentType": CONTENT_TYPE,
        "servers": {"local": {"host": f"{HOST}:{Ports().kafka}", "protocol": "kafka", "description": "`make up`"}},
        "channels": {topic.name: _channel(topic) for topic in all_topics()},
        "operations": dict(_operations()),
        "components": {"schemas": messages.schemas(kinds), "messages": dict(_messages())},
    }


def _info() -> Json:
    project = tomllib.loads((CONTRACTS / "pyproject.toml").read_text())["project"]
    return {
        "title": "Courtside",
        "version": project["version"],
        "description": "What the services of Courtside say to each other and to everyone who listens: CloudEvents 1.0 in Kafka's "
        "binary mode. Any event may come twice and any consumer may meet it late: see docs/consumers.md.",
        "license": {"name": project["license"]},
    }


def _messages() -> Iterator[tuple[str, Json]]:
    for topic in all_topics():
        for kind in traffic.on(topic):
            yield kind.type, messages.message(kind)
            if topic.cleanup == "compact":
                yield kind.type + TOMBSTONE, messages.tombstone(kind)
    yield FAILED, messages.failed_record()


# Channels


def _channel(topic: Topic) -> Json:
    names = _names(topic, traffic.on(topic)) if topic.name not in _of_failures() else [FAILED]
    return {
        "address": topic.name,
        "description": _of_failures().get(topic.name) or _description(topic),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": _kept(topic)},
    }


def _names(topic: Topic, kinds: list[Kind]) -> list[str]:
    erased = [kind.type + TOMBSTONE for kind in kinds if topic.cleanup == "compact"]
    return [kind.type for kind in kinds] + erased


def _description(topic: Topic) -> str:
    """The first words of the module that has the topic's events, when they are about the topic."""
    docs = (sys.modules[kind.__module__].__doc__ or "" for kind in traffic.on(topic))
    about = next((doc for doc in docs if doc.startswith(f"`{topic.name}`: ")), None)
    return (
        " ".join(about.split())
        if about
        else "What a provider sent, as it was received and verified. No interface for others."
    )


def _of_failures() -> dict[str, str]:
    told = {}
    for service in SERVICES:
        for tier in LADDER:
            told[retry_topic(service, tier.name).name] = _of_tier(service, tier)
        told[dead_letter_topic(service).name] = (
            f"What {service} gave up: kept for a person to look at and to send again."
        )
    return told


def _of_tier(service: str, tier: Tier) -> str:
    seconds = int(tier.delay.total_seconds())
    return f"What {service} could not handle waits here for {seconds} s after the broker took it, {tier.attempts} times at most."


def _kept(topic: Topic) -> Json:
    retention = -1 if topic.retention is None else int(topic.retention.total_seconds() * 1000)
    return {
        "topic": topic.name,
        "partitions": topic.partitions,
        "topicConfiguration": {
            "cleanup.policy": [topic.cleanup],
            "retention.ms": retention,
            "max.message.bytes": topic.max_message_bytes,
        },
        "bindingVersion": "0.5.0",
    }


# Operations


def _operations() -> Iterator[tuple[str, Json]]:
    for service in SERVICES:
        for topic, kinds in traffic.sent(service):
            yield _operation(service, "send", topic, _names(topic, kinds))
        for topic, kinds in traffic.received(service):
            yield _operation(service, "receive", topic, _names(topic, kinds))
        for tier in LADDER:
            yield _operation(service, "send", retry_topic(service, tier.name), [FAILED])
            yield _operation(service, "receive", retry_topic(service, tier.name), [FAILED])
        yield _operation(service, "send", dead_letter_topic(service), [FAILED])


def _operation(service: str, action: str, topic: Topic, names: list[str]) -> tuple[str, Json]:
    channel = f"#/channels/{topic.name}"
    operation: dict[str, Any] = {
        "action": action,
        "channel": {"$ref": channel},
        "tags": [{"name": service}],
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
    }
    if action == "receive":
        group = {"type": "string", "const": topic.name if names == [FAILED] else service}
        operation["bindings"] = {"kafka": {"groupId": group, "bindingVersion": "0.5.0"}}
    return f"{service}.{action}.{topic.name}", operation
