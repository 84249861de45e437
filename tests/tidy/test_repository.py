"""What others run and read beside the code: the workflow, the bills of material, the versions that are promised."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.local.environment import ROOT, SERVICES

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CI: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
NIGHTLY: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "nightly.yml").read_text())
PROMETHEUS = (
    "sudo apt-get update && sudo apt-get install -y --no-install-recommends prometheus"
    " && sudo systemctl disable --now prometheus"
)
"""A machine of GitHub's has neither it nor fresh lists of packages."""
MAKEFILE = (ROOT / "Makefile").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_commit_and_says_its_version(workflow: Any) -> None:
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_the_workflow_does_what_a_merge_needs_and_may_write_nothing() -> None:
    assert commands(CI, "all") == [PROMETHEUS, ".ci/run"]
    assert CI["permissions"] == {"contents": "read"}
    assert commands(CI, "storm") == ["make faults MINUTES=5"], "each push has a storm from a fresh seed"
    assert not any("permissions" in job for job in CI["jobs"].values())


def test_every_night_the_cluster_loses_a_broker_whole_services_run_on_containers_and_a_storm_lasts_an_hour() -> None:
    assert commands(NIGHTLY, "containers") == [PROMETHEUS, "make test-containers"]
    assert commands(NIGHTLY, "chance") == ["make faults-long", "make simulate SECONDS=6000"]
    (simulation,) = [each for each in NIGHTLY["jobs"]["chance"]["steps"] if "make simulate" in each.get("run", "")]
    assert simulation["if"] == "!cancelled()", "a storm that failed would hide what the simulation finds"


def test_every_night_outages_last_for_ten_minutes_and_checker_and_simulation_find_every_defect() -> None:
    outages = "OUTAGE_SECONDS=600 .venv/bin/python -m pytest -m slow tests/e2e/observed/test_outages.py"
    assert commands(NIGHTLY, "outages") == [PROMETHEUS, "make .venv/.ready", outages]
    assert commands(NIGHTLY, "mutants") == ["make mutants", "make hunt"]
    assert NIGHTLY["jobs"]["mutants"]["steps"][-1]["if"] == "!cancelled()", (
        "what one of them misses hides nothing of the other"
    )


def commands(workflow: Any, job: str) -> list[str]:
    return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]


@pytest.mark.parametrize(("marks", "rerun"), [("[]", 1), ("tests.faults.test_a_storm.pytestmark", 0)])
def test_what_runs_out_of_time_is_tried_once_more_but_for_a_storm(marks: str, rerun: int, tmp_path: Path) -> None:
    """With another seed that is another storm."""
    test = "def test_it():\n    raise TimeoutError\n"
    (tmp_path / "test_late.py").write_text(f"import tests.faults.test_a_storm\npytestmark = {marks}\n{test}")
    once_more = re.search(r'once_more="(.*)"', (ROOT / ".ci" / "run").read_text())
    assert once_more
    settings = ("-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "--color=no")
    command = [sys.executable, "-m", "pytest", *settings, str(tmp_path)]
    done = subprocess.run([*command, *once_more[1].split()], cwd=ROOT, capture_output=True, text=True, check=False)
    counted = ["1 failed", *(["1 rerun"] if rerun else [])]
    assert f"{', '.join(counted)} in " in done.stdout.splitlines()[-1], done.stdout


def test_every_image_is_audited_and_has_a_bill_of_its_materials() -> None:
    """What it is built with, too: `image.txt` brings dumb-init into each."""
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy" / "standins").glob("*/compose.yml")]
    built = [each["build"]["args"] for file in files for each in _services(file) if "build" in each]
    groups = {args.get("GROUP", args.get("SERVICE")) for args in built}
    assert groups == {*SERVICES, "standins"}
    assert looped("audit") == groups | {"image"}
    assert looped("sbom") == groups
    assert "cat requirements/$$name.txt requirements/image.txt | \\" in MAKEFILE


def test_dependabot_sees_every_image_that_is_not_ours() -> None:
    """Of the devcontainer's ecosystem there is nothing to see: it has no features, its Dockerfile says all."""
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    seen = {each["package-ecosystem"]: {*each.get("directories", [each.get("directory")])} for each in updates}
    dockerfiles = {*(ROOT / "deploy").rglob("Dockerfile"), *(ROOT / ".devcontainer").glob("Dockerfile")}
    assert seen["docker"] == {folder(file) for file in dockerfiles}
    assert seen["docker-compose"] == {folder(file) for file in COMPOSE if any(map(_is_foreign, _services(file)))}


COMPOSE = [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("compose*.yml")]


def folder(file: Path) -> str:
    return f"/{file.parent.relative_to(ROOT)}".removesuffix(".")


def _is_foreign(service: dict[str, Any]) -> bool:
    return "PROJECT_NAME" not in service.get("image", "PROJECT_NAME")


def _services(file: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load(file.read_text().replace("!override ", ""))["services"].values())


def looped(target: str) -> set[str]:
    """Whose requirements a target of the Makefile goes through."""
    recipe = MAKEFILE.partition(f"\n{target}: ")[2]
    names = re.search(r"for name in ([^;]+);", recipe)
    assert names
    return set(names[1].replace("$(SERVICES)", " ".join(SERVICES)).split())


def test_what_is_fetched_for_the_audit_is_pinned_by_hash() -> None:
    locked = (ROOT / "requirements" / "audit.txt").read_text()
    names = re.findall(r"^([\w.-]+)==", locked, re.MULTILINE)
    assert {"pip-audit", "cyclonedx-bom"} <= set(names)
    unpinned = [entry for entry in re.split(r"\n(?=\w)", locked) if "--hash=sha256:" not in entry]
    assert not unpinned


def test_the_images_of_a_club_are_those_of_this_version() -> None:
    told = yaml.safe_load((ROOT / "deploy/kubernetes/overlays/prod/kustomization.yaml").read_text())
    assert {image["newTag"] for image in told["images"]} == {PYPROJECT["project"]["version"]}


def test_the_devcontainer_can_be_read() -> None:
    lines = (ROOT / ".devcontainer" / "devcontainer.json").read_text().splitlines()
    told = json.loads("\n".join(line for line in lines if not line.startswith("//")))
    assert (ROOT / ".devcontainer" / told["build"]["dockerfile"]).is_file()
    assert 8001 in told["forwardPorts"]


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.stem
)
def test_a_form_of_an_issue_has_what_github_asks_for(form: Any) -> None:
    told = yaml.safe_load(form.read_text())
    if form.stem == "config":
        assert told["blank_issues_enabled"] in (True, False)
    else:
        assert {"name", "description", "body"} <= told.keys()
        assert all(part["type"] == "markdown" or part["attributes"]["label"] for part in told["body"])
