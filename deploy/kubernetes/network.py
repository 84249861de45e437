"""Who may talk to whom in the cluster. Nobody talks to a process of ours, and it talks to nobody, but for what stands here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from courtside_contracts.topics import SERVICES

Manifest = dict[str, Any]
Peer = dict[str, Any]

OURS = {"app.kubernetes.io/part-of": "courtside"}
COMPONENT = "app.kubernetes.io/component"
HTTP, HTTPS, POSTGRES, KAFKA, OTLP = 8000, 443, 5432, 9093, 4318
"""Of every process of ours; of the providers; of a database; of the brokers' listener with TLS and SCRAM; of a collector of traces."""
POSTGRES_STATUS, POSTGRES_METRICS = 8000, 9187
"""CloudNativePG's: its operator asks an instance how it is, Prometheus for its figures. And a primary that the operator or the API server
does not answer asks the other instances, and stops itself when none of them does (since 1.27)."""
INGRESS_CONTROLLER, MONITORING, CNPG = "ingress-nginx", "monitoring", "cnpg-system"
"""Namespaces. Prometheus and the collector of traces live in the second."""
PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"]
"""The last is the carriers' (RFC 6598): clouds have pods, nodes and their metadata there."""


def files() -> dict[str, list[Manifest]]:
    """By path below `base/`."""
    common = [*_of_all(), *(_database_ingress(service) for service in SERVICES)]
    return {"network.yaml": common, **{f"{service}/network.yaml": [_database_egress(service)] for service in SERVICES}}


def _of_all() -> list[Manifest]:
    working, telling = _of_ours("api", "worker"), _of_ours("api", "worker", "restored")
    serving = {"matchLabels": OURS | {COMPONENT: "api"}}
    ours, brokers = {"matchLabels": OURS}, {"strimzi.io/cluster": "courtside", "strimzi.io/broker-role": "true"}
    return [
        _policy("nothing-by-default", ours, policyTypes=["Ingress", "Egress"]),
        _egress("names", ours, [_names()], ports=[_port(53, "UDP"), _port(53)]),
        _ingress("requests", serving, [([_namespace(INGRESS_CONTROLLER)], [HTTP])]),
        _ingress("metrics", working, [([_namespace(MONITORING)], [HTTP])]),
        _egress("traces", working, [_namespace(MONITORING)], ports=[_port(OTLP)]),
        _egress("broker", telling, [_pods(brokers)], ports=[_port(KAFKA)]),
        _egress("providers", working, [_public()], ports=[_port(HTTPS)]),
    ]


def _database_ingress(service: str) -> Manifest:
    """Of its own service, of its other instances, of the operator, and of Prometheus."""
    database = {"cnpg.io/cluster": f"{service}-postgres"}
    allowed = [
        ([_pods(OURS | {"app.kubernetes.io/name": service})], [POSTGRES]),
        ([_pods(database)], [POSTGRES_STATUS, POSTGRES]),
        ([_namespace(CNPG)], [POSTGRES_STATUS, POSTGRES]),
        ([_namespace(MONITORING)], [POSTGRES_METRICS]),
    ]
    return _ingress(f"{service}-postgres", {"matchLabels": database}, allowed)


def _database_egress(service: str) -> Manifest:
    """An expression and no label, since kustomize would write the service's own labels over it."""
    database = {"podSelector": {"matchExpressions": [_in("cnpg.io/cluster", f"{service}-postgres")]}}
    return _egress("database", {"matchLabels": OURS}, [database], ports=[_port(POSTGRES)])


def _of_ours(*components: str) -> Peer:
    return {"matchExpressions": [_in("app.kubernetes.io/part-of", "courtside"), _in(COMPONENT, *components)]}


def _names() -> Peer:
    return _namespace("kube-system") | _pods({"k8s-app": "kube-dns"})


def _public() -> Peer:
    """The providers, and the identity provider's keys: by name they cannot be told apart here, but nothing private is among them."""
    return {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE}}


def _namespace(name: str) -> Peer:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _pods(labels: dict[str, str]) -> Peer:
    return {"podSelector": {"matchLabels": dict(labels)}}


def _in(label: str, *values: str) -> dict[str, Any]:
    return {"key": label, "operator": "In", "values": list(values)}


def _port(number: int, protocol: str = "TCP") -> dict[str, Any]:
    return {"protocol": protocol, "port": number}


def _ingress(name: str, who: Peer, allowed: Sequence[tuple[list[Peer], list[int]]]) -> Manifest:
    rules = [{"from": peers, "ports": [_port(number) for number in ports]} for peers, ports in allowed]
    return _policy(name, who, policyTypes=["Ingress"], ingress=rules)


def _egress(name: str, who: Peer, peers: list[Peer], *, ports: list[dict[str, Any]]) -> Manifest:
    return _policy(name, who, policyTypes=["Egress"], egress=[{"to": peers, "ports": ports}])


def _policy(name: str, who: Peer, **spec: Any) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name},
        "spec": {"podSelector": who, **spec},
    }
