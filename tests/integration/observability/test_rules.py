"""Dashboards, alert rules and configurations as files: each is what its reader expects, and each rule fires and does not fire."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.prometheus import OBSERVABILITY, expressions, program, rules

OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"


def promtool(*arguments: str) -> None:
    code, said = asked_of_promtool(*arguments)
    assert code == 0, said


def asked_of_promtool(*arguments: str, folder: Path = OBSERVABILITY) -> tuple[int, str]:
    command = [program("promtool"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_takes_its_configuration_and_its_rules(tmp_path: Path) -> None:
    promtool("check", "config", "prometheus.yml")
    in_a_cluster = yaml.safe_load((OBSERVABILITY / "prometheus.kubernetes.yml").read_text())
    in_a_cluster["rule_files"] = [str(OBSERVABILITY / "alerts.yml")]
    for job in in_a_cluster["scrape_configs"]:
        assert job.pop("kubernetes_sd_configs"), "Debian's Prometheus is built without it"
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(in_a_cluster))
    promtool("check", "config", str(tmp_path / "prometheus.yml"))
    promtool("check", "rules", "--lint=all", "--lint-fatal", "alerts.yml")


def test_each_alert_fires_on_its_bad_day_and_on_no_good_one() -> None:
    promtool("test", "rules", "alerts.test.yml")
    cases = [
        case
        for test in yaml.safe_load((OBSERVABILITY / "alerts.test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(expressions())
    assert {case["alertname"] for case in cases if not case["exp_alerts"]} == set(expressions())


LIMIT = re.compile(r"(>|==) (\d[\d.]*)")


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_whose_time_or_limit_is_another_is_found(tmp_path: Path, rule: dict[str, Any]) -> None:
    (tmp_path / "alerts.test.yml").write_text((OBSERVABILITY / "alerts.test.yml").read_text())
    changed = list(otherwise(rule))
    assert len(changed) >= 2
    for other in changed:
        all_rules = [other if each == rule else each for each in rules()]
        (tmp_path / "alerts.yml").write_text(json.dumps({"groups": [{"name": "courtside", "rules": all_rules}]}))
        code, said = asked_of_promtool("test", "rules", "alerts.test.yml", folder=tmp_path)
        assert code == 1, other
        assert set(re.findall(r"alertname: (\w+)", said)) == {rule["alert"]}, other


def otherwise(rule: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The rule a minute too late, a minute too early where it has a time, and with each of its limits nearer."""
    waits_minutes = int(rule.get("for", "0m").removesuffix("m"))
    yield rule | {"for": f"{waits_minutes + 1}m"}
    if waits_minutes:
        yield rule | {"for": f"{waits_minutes - 1}m"}
    for limit in LIMIT.finditer(rule["expr"]):
        before, after = rule["expr"][: limit.start()], rule["expr"][limit.end() :]
        yield rule | {"expr": before + nearer(*limit.groups()) + after}


def nearer(comparison: str, limit: str) -> str:
    if comparison == "==":
        return {"0": ">= 0", "1": "== 2"}[limit]
    return f"> {0.8 * float(limit)}" if float(limit) else ">= 0"


RAISED = re.compile(r'"(Courtside\w+)", ')


def test_each_alert_is_raised_by_its_condition_on_a_running_system() -> None:
    """There it waits for nothing and looks back for seconds (`tests/prometheus.py`); its own times are those of the test above."""
    tests = Path(__file__).parents[2] / "e2e" / "observed"
    raised = {name for file in tests.glob("test_*.py") for name in RAISED.findall(file.read_text())}
    assert raised == set(expressions())


def test_an_operator_finds_each_alert_in_the_handbook() -> None:
    handbook = OPERATIONS.read_text()
    assert [name for name in expressions() if f"`{name}`" not in handbook] == []


BOARDS = sorted((OBSERVABILITY / "grafana" / "dashboards").glob("*.json"))


@pytest.mark.parametrize("board", BOARDS, ids=lambda file: file.stem)
def test_grafana_knows_every_field_of_a_dashboard(board: Path) -> None:
    """What its own SDK reads and writes again is the same; it leaves out what it does not know."""
    register_default_plugins()
    told = json.loads(board.read_text())
    assert list(lost(told, json.loads(JSONEncoder().encode(Dashboard.from_json(told))))) == []
    mistyped = told | {"refreshh": "10s"}
    known = json.loads(JSONEncoder().encode(Dashboard.from_json(mistyped)))
    assert list(lost(mistyped, known)) == [".refreshh"]


def lost(told: Any, known: Any, path: str = "") -> Iterator[str]:
    """Where the second lacks something of the first, or says something else."""
    if isinstance(told, dict) and isinstance(known, dict):
        for name, value in told.items():
            yield from lost(value, known.get(name), f"{path}.{name}")
    elif isinstance(told, list) and isinstance(known, list) and len(told) == len(known):
        for place, (value, kept) in enumerate(zip(told, known, strict=True)):
            yield from lost(value, kept, f"{path}[{place}]")
    elif told != known:
        yield path


def test_prometheus_understands_every_question_of_a_dashboard(tmp_path: Path) -> None:
    panels = [panel for board in BOARDS for panel in json.loads(board.read_text())["panels"]]
    asked = [target["expr"].replace("$__rate_interval", "5m") for panel in panels for target in panel["targets"]]
    rules = [{"record": f"courtside:asked_{place}", "expr": expression} for place, expression in enumerate(asked)]
    (tmp_path / "asked.yml").write_text(json.dumps({"groups": [{"name": "asked", "rules": rules}]}))
    assert len(rules) > 20
    promtool("check", "rules", str(tmp_path / "asked.yml"))


def test_grafana_finds_its_sources_and_no_panel_asks_another() -> None:
    provisioned = OBSERVABILITY / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioned / "datasources" / "courtside.yml").read_text())["datasources"]
    known = {source["uid"] for source in sources}
    boards = [json.loads(file.read_text()) for file in BOARDS]
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
