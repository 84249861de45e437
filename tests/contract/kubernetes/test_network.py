"""Who may talk to whom in the cluster, as Kubernetes reads the policies: by the pods' own labels and settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
import yaml

from deploy.kubernetes.network import (
    CNPG,
    HTTP,
    HTTPS,
    INGRESS_CONTROLLER,
    KAFKA,
    MONITORING,
    POSTGRES,
    POSTGRES_STATUS,
    PRIVATE,
)
from deploy.local.environment import SERVICES
from tests.contract.kubernetes.rendering import Manifest, of
from tests.contract.kubernetes.test_manifests import OVERLAYS, pods, variables
from tests.prometheus import OBSERVABILITY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # the first time, Go builds kustomize


@dataclass(frozen=True)
class Place:
    """A pod by its labels, in Courtside's namespace (`""`) or another; or an address."""

    labels: Mapping[str, str] = field(default_factory=dict)
    namespace: str = ""
    address: str = ""


PROMETHEUS, COLLECTOR = Place(namespace=MONITORING), Place({"app": "otel-collector"}, MONITORING)
GATEWAY, STRANGER = Place(namespace=INGRESS_CONTROLLER), Place({"app": "something"}, "default")
POLAR = Place(address="203.0.113.7")
METADATA = (Place(address="169.254.169.254"), Place(address="100.100.100.200"))
"""Where clouds tell a node its secrets."""
BROKER = Place({"strimzi.io/cluster": "courtside", "strimzi.io/broker-role": "true"})


def processes(overlay: str, *roles: str) -> Iterator[tuple[str, Place]]:
    for name, pod in pods(overlay):
        if name.rpartition("-")[2] in roles:
            yield name, Place(pod["metadata"]["labels"])


def database(service: str) -> Place:
    return Place({"cnpg.io/cluster": f"{service}-postgres"})


def may(overlay: str, source: Place, target: Place, port: int) -> bool:
    """Both ends must let it pass; an end that is none of ours, or that no policy names, lets everything pass."""
    return _lets(overlay, source, "Egress", target, port) and _lets(overlay, target, "Ingress", source, port)


def _lets(overlay: str, end: Place, direction: Literal["Ingress", "Egress"], other: Place, port: int) -> bool:
    policies = [each["spec"] for each in of(overlay, "NetworkPolicy")]
    mine = [spec for spec in policies if direction in spec["policyTypes"] and _selects(spec["podSelector"], end)]
    if end.namespace or end.address or not mine:
        return True
    rules = [rule for spec in mine for rule in spec.get(direction.lower(), [])]
    peers = {"Ingress": "from", "Egress": "to"}[direction]
    return any(
        port in [each["port"] for each in rule["ports"]] and any(_is(peer, other) for peer in rule[peers])
        for rule in rules
    )


def _is(peer: Manifest, place: Place) -> bool:
    if block := peer.get("ipBlock"):
        return (
            bool(place.address)
            and _within(place.address, block["cidr"])
            and not any(_within(place.address, each) for each in block.get("except", []))
        )
    namespaces = peer.get("namespaceSelector")
    in_namespace = (
        namespaces["matchLabels"]["kubernetes.io/metadata.name"] == place.namespace
        if namespaces
        else not place.namespace
    )
    return not place.address and in_namespace and _selects(peer.get("podSelector", {}), place)


def _within(address: str, block: str) -> bool:
    return ip_address(address) in ip_network(block)


def _selects(selector: Mapping[str, Any], place: Place) -> bool:
    labels = selector.get("matchLabels", {}).items() <= place.labels.items()
    expressions = selector.get("matchExpressions", [])
    assert {each["operator"] for each in expressions} <= {"In"}
    return labels and all(place.labels.get(each["key"]) in each["values"] for each in expressions)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_prometheus_reads_the_metrics_of_every_process_and_nobody_else_does(overlay: str) -> None:
    serving = list(processes(overlay, "api", "worker"))
    assert len(serving) == 2 * len(SERVICES)
    for name, process in serving:
        assert may(overlay, PROMETHEUS, process, HTTP), name
        assert not may(overlay, PROMETHEUS, process, POSTGRES), name
        assert not may(overlay, STRANGER, process, HTTP), name
        assert may(overlay, GATEWAY, process, HTTP) == name.endswith("-api"), name
    for service in SERVICES:
        assert may(overlay, PROMETHEUS, database(service), 9187)
        assert not may(overlay, PROMETHEUS, database(service), POSTGRES)


def test_prometheus_reads_the_processes_of_the_namespace_that_they_are_in() -> None:
    (job,) = yaml.safe_load((OBSERVABILITY / "prometheus.kubernetes.yml").read_text())["scrape_configs"]
    assert job["kubernetes_sd_configs"][0]["namespaces"]["names"] == ["courtside"]
    assert {each["metadata"]["namespace"] for each in of("prod", "PodMonitor")} == {"courtside"}


@pytest.mark.parametrize("told_by", ["file", "operator"])
def test_prometheus_knows_service_and_role_of_what_it_reads_by_the_pods_labels(told_by: str) -> None:
    """Alerts and dashboards expect both. Prometheus writes a label's name with underscores."""
    (job,) = yaml.safe_load((OBSERVABILITY / "prometheus.kubernetes.yml").read_text())["scrape_configs"]
    rules = job["relabel_configs"] if told_by == "file" else as_rules(monitor("courtside-processes"))
    assert [each["source_labels"] for each in rules if each.get("target_label") == "instance"] == [
        ["__meta_kubernetes_pod_name"]
    ]
    found = set()
    for name, pod in pods("prod"):
        labels = {underscored(label): value for label, value in pod["metadata"]["labels"].items()}
        if read := relabelled(rules, labels):
            (port,) = pod["spec"]["containers"][0]["ports"]
            assert (port["name"], port["containerPort"]) == ("http", HTTP), name
            found.add(f"{read['service']}-{read['role']}")
    assert found == {f"{service}-{role}" for service in SERVICES for role in ("api", "worker")}


def monitor(name: str) -> Manifest:
    (found,) = [each["spec"] for each in of("prod", "PodMonitor") if each["metadata"]["name"] == name]
    return dict(found)


def as_rules(monitor: Manifest) -> list[Manifest]:
    """What the operator makes of it for Prometheus: whom it selects and which port it reads, then how it is called."""
    (endpoint,) = monitor["podMetricsEndpoints"]
    wanted = {label: [value] for label, value in monitor["selector"].get("matchLabels", {}).items()}
    wanted |= {each["key"]: each["values"] for each in monitor["selector"].get("matchExpressions", [])}
    kept = [
        {
            "source_labels": [f"__meta_kubernetes_pod_label_{underscored(label)}"],
            "regex": "|".join(values),
            "action": "keep",
        }
        for label, values in wanted.items()
    ]
    port = {"source_labels": ["__meta_kubernetes_pod_container_port_name"], "regex": endpoint["port"], "action": "keep"}
    called = [
        {"source_labels": each["sourceLabels"], "target_label": each["targetLabel"]} for each in endpoint["relabelings"]
    ]
    return [*kept, port, *called]


def underscored(label: str) -> str:
    return re.sub(r"\W", "_", label)


def relabelled(rules: list[Manifest], labels: Mapping[str, str]) -> dict[str, str]:
    """What it is called, as far as that follows from the pod's own labels; nothing when it is not read."""
    told: dict[str, str] = {}
    for rule in rules:
        (source,) = rule["source_labels"]
        value = labels.get(source.removeprefix("__meta_kubernetes_pod_label_"))
        if source.startswith("__meta_kubernetes_pod_label_") and rule.get("action") == "keep":
            if not re.fullmatch(rule["regex"], value or ""):
                return {}
        elif value is not None:
            told[rule["target_label"]] = value
    return told


def test_prometheus_reads_every_database_too() -> None:
    selector = monitor("courtside-databases")["selector"]
    (endpoint,) = monitor("courtside-databases")["podMetricsEndpoints"]
    assert endpoint == {"port": "metrics"}, "as CloudNativePG calls its 9187"
    assert all(_selects(selector, database(service)) for service in SERVICES)
    assert not any(
        _selects(selector, process) for _, process in processes("prod", "api", "worker", "migrate", "restored")
    )


def test_a_cluster_raises_the_alarms_and_shows_the_dashboards_of_the_files() -> None:
    (rules,) = of("prod", "PrometheusRule")
    assert rules["spec"] == yaml.safe_load((OBSERVABILITY / "alerts.yml").read_text())
    (shown,) = [each for each in of("prod", "ConfigMap") if "grafana_dashboard" in each["metadata"].get("labels", {})]
    boards = (OBSERVABILITY / "grafana" / "dashboards").glob("*.json")
    assert shown["data"] == {board.name: board.read_text() for board in boards}


def test_every_process_reaches_the_collector_that_its_settings_name() -> None:
    for name, pod in pods("prod"):
        (container,) = pod["spec"]["containers"]
        url = urlsplit(variables("prod", container)["OTEL_EXPORTER_OTLP_ENDPOINT"])
        namespace = str(url.hostname).split(".")[1]
        collector, process = Place(COLLECTOR.labels, namespace), Place(pod["metadata"]["labels"])
        assert may("prod", process, collector, url.port or 0) == name.endswith(("-api", "-worker")), name
        assert not may("prod", process, STRANGER, url.port or 0), name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_process_reaches_its_own_database_the_brokers_and_the_providers_and_nothing_else(overlay: str) -> None:
    for name, process in processes(overlay, "api", "worker"):
        for service in SERVICES:
            assert may(overlay, process, database(service), POSTGRES) == name.startswith(f"{service}-"), name
        assert may(overlay, process, BROKER, KAFKA), name
        assert may(overlay, process, POLAR, HTTPS), name
        for place, port in ((POLAR, 80), *((each, HTTPS) for each in METADATA), (STRANGER, HTTPS)):
            assert not may(overlay, process, place, port), (name, place, port)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_instances_of_a_database_replicate_and_ask_how_the_others_are(overlay: str) -> None:
    """A primary that reaches no other instance takes itself for cut off, and stops."""
    operator = Place(namespace=CNPG)
    for service in SERVICES:
        for port in (POSTGRES, POSTGRES_STATUS):
            assert may(overlay, database(service), database(service), port), service
            assert may(overlay, operator, database(service), port), service
            others = [database(other) for other in SERVICES if other != service]
            assert not any(may(overlay, other, database(service), port) for other in (*others, STRANGER)), service
        for name, process in processes(overlay, "api", "worker", "migrate", "restored"):
            assert not may(overlay, process, database(service), POSTGRES_STATUS), name


def test_what_the_services_believe_as_a_proxy_is_nothing_that_they_reach_as_a_provider() -> None:
    """One list of what is private, written in two places. A club may name its own proxies in `prod`."""
    for name, pod in pods("dev"):
        (container,) = pod["spec"]["containers"]
        told = variables("dev", container)[f"{name.partition('-')[0].upper()}_TRUSTED_PROXIES"]
        assert {*json.loads(told)} <= {*PRIVATE}, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_migration_reaches_its_database_and_nothing_else(overlay: str) -> None:
    for name, job in processes(overlay, "migrate"):
        for service in SERVICES:
            assert may(overlay, job, database(service), POSTGRES) == name.startswith(f"{service}-"), name
        assert not any(may(overlay, job, *there) for there in ((BROKER, KAFKA), (POLAR, HTTPS), (COLLECTOR, 4318)))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_restored_service_reaches_its_database_and_the_brokers_and_nothing_else(overlay: str) -> None:
    restored = list(processes(overlay, "restored"))
    assert len(restored) == len(SERVICES)
    for name, job in restored:
        for service in SERVICES:
            assert may(overlay, job, database(service), POSTGRES) == name.startswith(f"{service}-"), name
        assert may(overlay, job, BROKER, KAFKA), name
        assert not any(may(overlay, job, *there) for there in ((POLAR, HTTPS), (COLLECTOR, 4318), (STRANGER, HTTPS)))
        assert not any(may(overlay, each, job, HTTP) for each in (PROMETHEUS, GATEWAY, STRANGER)), name


def test_every_policy_of_the_network_finds_somebody() -> None:
    """A label that was renamed would close nothing, or all."""
    known = [place for _, place in processes("prod", "api", "worker", "migrate", "restored")]
    known += [database(service) for service in SERVICES]
    for policy in of("prod", "NetworkPolicy"):
        assert any(_selects(policy["spec"]["podSelector"], place) for place in known), policy["metadata"]["name"]
    assert {f"{service}-postgres" for service in SERVICES} == {
        each["metadata"]["name"] for each in of("prod", "Cluster")
    }
