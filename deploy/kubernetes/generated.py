"""The manifests that follow from the code: topics and users for Strimzi, how many workers for KEDA, the network, and what is watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from courtside_contracts.topics import SERVICES, Topic, all_topics
from deploy.asyncapi.traffic import CONSUMERS
from deploy.kubernetes import monitoring, network
from deploy.topics.acls import GROUP, LITERAL, TOPIC, Acl, Operation, Rights, all_rights
from services.chassis.consuming import Consumers

DEPLOY = Path(__file__).parents[1]
BASE = "kubernetes/base"
CLUSTER = "courtside"
BOOTSTRAP = f"{CLUSTER}-kafka-bootstrap:9093"
REPLICAS, MIN_INSYNC_REPLICAS = 3, 2
AFTER_MIGRATION = {"argocd.argoproj.io/sync-wave": "1"}
"""Beside the deployment that it scales: without that it would be degraded, and Argo CD would not go on."""

WORKERS_AT_LEAST = 2
"""One relays, the other stands by."""
PROVIDER_LAG_RECORDS, DATABASE_LAG_RECORDS = 200, 2_000
"""Behind by so many for each worker, one more is started: some seconds of work, at 16 calls side by side or 500 rows a batch."""

Manifest = dict[str, Any]


def files() -> dict[str, str]:
    """By path below `deploy/`."""
    manifests: dict[str, Sequence[Manifest]] = {
        f"{BASE}/kafka/topics.yaml": topics(),
        f"{BASE}/kafka/users.yaml": users(),
        **{f"{BASE}/{service}/scaling.yaml": [scaled(service)] for service in SERVICES},
        **{f"{BASE}/{name}": policies for name, policies in network.files().items()},
        **{f"observability/{name}": each for name, each in monitoring.files().items()},
    }
    return {name: _text(each) for name, each in manifests.items()}


def topics() -> list[Manifest]:
    return [_topic(topic) for topic in all_topics()]


def users() -> list[Manifest]:
    return [_user(rights) for rights in all_rights()]


def scaled(service: str) -> Manifest:
    """Retry tiers do not count: what waits there is not due."""
    consumers, worker = CONSUMERS[service], f"{service}-worker"
    triggers = [_trigger(consumers, group, topic) for group, topic in _reads(service, consumers)]
    spec = {
        "scaleTargetRef": {"name": worker},
        "minReplicaCount": WORKERS_AT_LEAST,
        "maxReplicaCount": max(topic.partitions for topic in consumers.topics),
        "pollingInterval": 15,
        "fallback": {"failureThreshold": 4, "replicas": WORKERS_AT_LEAST, "behavior": "currentReplicasIfHigher"},
        "triggers": triggers,
    }
    labels = {"app.kubernetes.io/component": "worker"}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": "worker", "labels": labels, "annotations": AFTER_MIGRATION},
        "spec": spec,
    }


def _topic(topic: Topic) -> Manifest:
    config = topic.configs | {"min.insync.replicas": str(MIN_INSYNC_REPLICAS)}
    spec = {
        "partitions": topic.partitions,
        "replicas": REPLICAS,
        "config": {name: _value(text) for name, text in config.items()},
    }
    return _strimzi("KafkaTopic", topic.name, spec)


def _user(rights: Rights) -> Manifest:
    spec = {
        "authentication": {"type": "scram-sha-512"},
        "authorization": {"type": "simple", "acls": [_rule(*rule) for rule in _by_resource(list(rights.acls("")))]},
    }
    return _strimzi("KafkaUser", rights.user, spec)


def _by_resource(acls: Sequence[Acl]) -> Iterator[tuple[Acl, list[str]]]:
    """Strimzi's rules have one resource and many operations."""
    found: dict[tuple[int, str, int], list[Acl]] = {}
    for acl in acls:
        found.setdefault((acl.kind, acl.name, acl.pattern), []).append(acl)
    for same in found.values():
        yield same[0], [Operation(acl.operation).name for acl in same]


def _rule(acl: Acl, operations: list[str]) -> Manifest:
    kind = {TOPIC: "topic", GROUP: "group"}[acl.kind]
    pattern = "literal" if acl.pattern == LITERAL else "prefix"
    resource = {"type": kind, "name": acl.name, "patternType": pattern}
    return {"resource": resource, "operations": operations, "host": acl.host}


def _strimzi(kind: str, name: str, spec: Mapping[str, Any]) -> Manifest:
    labels = {"strimzi.io/cluster": CLUSTER, "app.kubernetes.io/component": "kafka"}
    return {
        "apiVersion": "kafka.strimzi.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": labels},
        "spec": dict(spec),
    }


def _reads(service: str, consumers: Consumers) -> Iterator[tuple[str, Topic]]:
    """Group and topic, as `services/chassis/working.py` subscribes."""
    for topic in consumers.topics:
        apart = ".projections" if topic in consumers.projected_topics else ".paced" if topic in consumers.paced else ""
        yield service + apart, topic


def _trigger(consumers: Consumers, group: str, topic: Topic) -> Manifest:
    calls_out = consumers.call_out_on([topic])
    metadata = {
        "bootstrapServers": BOOTSTRAP,
        "consumerGroup": group,
        "topic": topic.name,
        "lagThreshold": str(PROVIDER_LAG_RECORDS if calls_out else DATABASE_LAG_RECORDS),
        "offsetResetPolicy": "earliest",
        "sasl": "scram_sha512",
        "tls": "enable",
        "version": "3.9.0",  # of the protocol: without it KEDA speaks that of Kafka 1.0, which Kafka 4 has forgotten
    }
    return {"type": "kafka", "metadata": metadata, "authenticationRef": {"name": "consumer-lag"}}


def _value(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdecimal() else text


def _text(manifests: Sequence[Manifest]) -> str:
    documents = (yaml.safe_dump(each, sort_keys=False, width=120) for each in manifests)
    return "# Written by `python -m deploy.kubernetes`; a test compares.\n" + "---\n".join(documents)
