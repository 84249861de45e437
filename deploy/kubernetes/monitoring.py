"""For Prometheus' operator: whom to read, and the rules of `deploy/observability/alerts.yml`, whatever they become."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from courtside_contracts.topics import SERVICES
from deploy.kubernetes.network import COMPONENT, OURS

Manifest = dict[str, Any]
RULES = Path(__file__).parents[1] / "observability" / "alerts.yml"
NAME = "app.kubernetes.io/name"


def files() -> dict[str, list[Manifest]]:
    """By path below `deploy/observability/`."""
    return {"kubernetes/scraped.yaml": [_processes(), _databases()], "kubernetes/alerts.yaml": [_alerts()]}


def _processes() -> Manifest:
    """With the labels that alerts and dashboards go by."""
    called = {"service": _of_pod(NAME), "role": _of_pod(COMPONENT), "instance": "pod_name"}
    labels = [_labelled(source, target) for target, source in called.items()]
    selector = {"matchLabels": dict(OURS), "matchExpressions": [_in(COMPONENT, "api", "worker")]}
    return _read("processes", selector, {"port": "http", "interval": "15s", "relabelings": labels})


def _databases() -> Manifest:
    """CloudNativePG's own figures of each instance."""
    ours = _in("cnpg.io/cluster", *(f"{service}-postgres" for service in SERVICES))
    return _read("databases", {"matchExpressions": [ours]}, {"port": "metrics"})


def _alerts() -> Manifest:
    return _monitoring("PrometheusRule", "alerts", yaml.safe_load(RULES.read_text()))


def _read(name: str, selector: Manifest, endpoint: Manifest) -> Manifest:
    return _monitoring("PodMonitor", name, {"selector": selector, "podMetricsEndpoints": [endpoint]})


def _of_pod(label: str) -> str:
    """Prometheus writes the name of a pod's label with underscores."""
    return f"pod_label_{re.sub(r'[^a-z]', '_', label)}"


def _labelled(source: str, target: str) -> Manifest:
    return {"sourceLabels": [f"__meta_kubernetes_{source}"], "targetLabel": target}


def _in(label: str, *values: str) -> Manifest:
    return {"key": label, "operator": "In", "values": list(values)}


def _monitoring(kind: str, name: str, spec: Manifest) -> Manifest:
    metadata = {"name": f"courtside-{name}", "labels": dict(OURS)}
    return {"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": metadata, "spec": spec}
