"""Dashboards, alert rules and configurations as files: each is what its reader expects, and each rule fires and does not fire."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml

from tests.prometheus import OBSERVABILITY, expressions, program

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [program("promtool"), *arguments], cwd=OBSERVABILITY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_and_its_rules() -> None:
    promtool("check", "config", "prometheus.yml")
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")


def test_each_alert_fires_on_its_bad_day_and_on_no_good_one() -> None:
    promtool("test", "rules", "alerts.test.yml")
    cases = [
        case
        for test in yaml.safe_load((OBSERVABILITY / "alerts.test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(expressions())


def test_an_operator_finds_each_alert_in_the_handbook() -> None:
    handbook = OPERATIONS.read_text()
    assert [name for name in expressions() if f"`{name}`" not in handbook] == []


def test_grafana_finds_its_sources_and_no_panel_asks_another() -> None:
    provisioned = OBSERVABILITY / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioned / "datasources" / "courtside.yml").read_text())["datasources"]
    known = {source["uid"] for source in sources}
    boards = [json.loads(file.read_text()) for file in (OBSERVABILITY / "grafana" / "dashboards").glob("*.json")]
    assert len({board["uid"] for board in boards}) == len(boards) == 3
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        asked = {target["datasource"]["uid"] for panel in board["panels"] for target in panel["targets"]}
        assert asked <= known


def test_the_collector_uses_what_it_names() -> None:
    told = yaml.safe_load((OBSERVABILITY / "collector.yml").read_text())
    for pipeline in told["service"]["pipelines"].values():
        for kind in ("receivers", "processors", "exporters"):
            assert set(pipeline[kind]) == set(told[kind])
