"""What the compose files say, read as they stand. `tests/containers` has Compose read them, and starts what they name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from deploy.local.environment import ROOT, SERVICES
from deploy.local.postgres import DURABLE
from services.chassis.settings import Settings
from tests.connections import connections

STANDINS = sorted((ROOT / "deploy" / "standins").glob("*/compose.yml"))
PLAIN, CLUSTER = ROOT / "docker-compose.yml", ROOT / "deploy" / "compose.cluster.yml"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
PROCESSES = [f"{service}-{role}" for service in SERVICES for role in ("api", "worker")]
RESERVED_CONNECTIONS = 3
"""For a superuser: PostgreSQL's own default."""


def services(*files: Path) -> dict[str, dict[str, Any]]:
    """As far as these tests ask: a later file adds to what a service was told, as with `-f`."""
    found: dict[str, dict[str, Any]] = {}
    for file in files:
        for name, told in yaml.safe_load(file.read_text().replace("!override ", ""))["services"].items():
            before = found.get(name, {})
            environment = {**before.get("environment", {}), **told.get("environment", {})}
            found[name] = before | told | {"environment": environment}
    return found


def each(told: dict[str, dict[str, Any]], process: str) -> int:
    variable = f"{process.partition('-')[0].upper()}_DATABASE_POOL_SIZE"
    return connections(told[process]["environment"].get(variable, Settings.model_fields["database_pool_size"].default))


def asked_for(told: dict[str, dict[str, Any]], scaled: dict[str, int]) -> int:
    replicas = {name: told[name].get("deploy", {}).get("replicas", 1) for name in PROCESSES} | scaled
    return sum(count * each(told, name) for name, count in replicas.items())


def granted(told: dict[str, dict[str, Any]]) -> int:
    (most,) = re.findall(r"max_connections=(\d+)", str(told["postgres"]["command"]))
    return int(most) - RESERVED_CONNECTIONS


def test_the_database_has_a_connection_for_each_that_its_processes_may_ask_for() -> None:
    scaled = re.search(r"`docker compose up -d( --scale \S+=\d)+`", OPERATIONS)
    assert scaled
    as_told = {name: int(count) for name, count in re.findall(r"--scale (\S+)=(\d)", scaled[0])}
    assert as_told.keys() < {*PROCESSES}
    for files, more in (((PLAIN,), {}), ((PLAIN,), as_told), ((PLAIN, CLUSTER), {})):
        told = services(*files)
        assert asked_for(told, more) <= granted(told), files


def test_the_handbook_says_how_many_processes_there_may_be() -> None:
    told = services(PLAIN)
    assert {granted(told) // each(told, name) for name in PROCESSES} == {9}
    assert "nine processes in all" in OPERATIONS


def test_what_keeps_running_has_as_long_to_start_as_the_machine_needs() -> None:
    """A stand-in that had a time of its own made `up --wait` fail where everything else was waited for."""
    told = services(PLAIN, *STANDINS)
    running = {name: each for name, each in told.items() if "restart" in each}
    assert {*PROCESSES, "polar", "resend", "postgres", "kafka", "gateway", "health"} == running.keys()
    patience = {each["healthcheck"]["start_period"] for each in running.values()}
    assert patience == {"${COURTSIDE_START_PATIENCE:-3m}"}


def test_what_runs_our_images_has_no_right_of_root_but_the_job_that_gives_the_keys_away() -> None:
    ours = {name: each for name, each in services(PLAIN, *STANDINS).items() if "PROJECT_NAME" in each["image"]}
    assert len(ours) > len(PROCESSES)
    for name, each in ours.items():
        confined = [each.get("read_only"), each.get("cap_drop"), each.get("security_opt")]
        assert confined == [True, ["ALL"], ["no-new-privileges:true"]], name
    assert {name: each.get("cap_add") for name, each in ours.items() if "cap_add" in each or "user" in each} == {
        "keys": ["CHOWN", "DAC_OVERRIDE"]
    }


def test_no_server_of_ours_logs_what_is_in_a_row() -> None:
    """The detail of a violated constraint has the values: "Key (lower(email))=(…) already exists"."""
    cluster = yaml.safe_load((ROOT / "deploy" / "kubernetes" / "base" / "postgres" / "cluster.yaml").read_text())
    assert "log_error_verbosity=terse" in services(PLAIN)["postgres"]["command"]
    assert cluster["spec"]["postgresql"]["parameters"]["log_error_verbosity"] == "terse"
    assert DURABLE["log_error_verbosity"] == "terse"
