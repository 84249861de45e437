"""What can be said of the manifests without rendering them. `tests/contract/kubernetes` renders them."""

from __future__ import annotations

import re
from inspect import signature
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate
import pytest
import yaml

from deploy.kubernetes.generated import DEPLOY, files
from deploy.standins.resend.pages import show_outbox

FOLDER, WATCHED = DEPLOY / "kubernetes", DEPLOY / "observability"
KUSTOMIZATIONS = sorted(DEPLOY.rglob("kustomization.yaml"))
NEWEST = "1.37.0"
WAVE = "argocd.argoproj.io/sync-wave"
OPERATORS = ("strimzi.io", "keda.sh", "cnpg.io", "monitoring.coreos.com", "kustomize.config.k8s.io")


def named(kustomization: Path) -> set[Path]:
    """Files and folders that it is made of."""
    told: dict[str, Any] = yaml.safe_load(kustomization.read_text())
    generators = [*told.get("configMapGenerator", []), *told.get("secretGenerator", [])]
    paths = [*told.get("resources", []), *told.get("components", [])]
    paths += [file for each in generators for file in (*each.get("envs", []), *each.get("files", []))]
    return {(kustomization.parent / path).resolve() for path in paths}


def documents(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text()))


@pytest.mark.parametrize("name", files())
def test_what_follows_from_the_code_is_what_it_says(name: str) -> None:
    assert (DEPLOY / name).read_text() == files()[name], "run `python -m deploy.kubernetes`"


@pytest.mark.parametrize("kustomization", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_what_a_kustomization_names_is_there(kustomization: Path) -> None:
    for path in named(kustomization):
        assert path.exists(), path
        assert path.is_file() or (path / "kustomization.yaml").is_file(), path


def test_no_file_is_forgotten() -> None:
    used = {path for each in KUSTOMIZATIONS for path in named(each)}
    written = {file for kind in ("*.yaml", "*.env") for file in FOLDER.rglob(kind)}
    written |= {*(WATCHED / "kubernetes").iterdir(), *(WATCHED / "grafana" / "dashboards").iterdir()}
    assert written - {*KUSTOMIZATIONS} == {path for path in used if path.is_file()}


def test_kubernetes_knows_every_field_of_our_own_manifests() -> None:
    ours = [each for file in sorted((FOLDER / "base").rglob("*.yaml")) for each in documents(file)]
    plain = [each for each in ours if not is_an_operators(each)]
    assert len(plain) > 15
    for manifest in plain:
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


def is_an_operators(manifest: Any) -> bool:
    return any(name in manifest["apiVersion"] for name in OPERATORS)


def test_what_runs_the_new_code_and_what_scales_it_comes_after_the_migration() -> None:
    """In waves of Argo CD: it goes on to the second when all of the first is healthy, and its hooks have ended."""
    ours = [each for file in (FOLDER / "base").rglob("*.yaml") for each in documents(file)]
    waves = {(each["kind"], each["metadata"].get("annotations", {}).get(WAVE, "0")) for each in ours if "spec" in each}
    later = {kind for kind, wave in waves if wave == "1"}
    assert later == {"Deployment", "HorizontalPodAutoscaler", "ScaledObject"}
    assert not later & {kind for kind, wave in waves if wave == "0"}
    assert ("Job", "0") in waves


def test_no_secret_is_written_down_for_production() -> None:
    prod = FOLDER / "overlays" / "prod"
    assert not [file for file in prod.iterdir() if any(each.get("kind") == "Secret" for each in _loaded(file))]
    assert "secretGenerator" not in (prod / "kustomization.yaml").read_text()


def test_a_player_of_a_laptops_cluster_comes_back_to_the_mails_of_the_booking() -> None:
    """A filter that the page of the stand-in does not know shows all mails."""
    told = "\n".join(file.read_text() for file in (FOLDER / "overlays" / "dev").glob("*.env"))
    pages = re.findall(r"^(\w+)=(http://127\.0\.0\.1:8012/\S*)$", told, re.MULTILINE)
    assert {name for name, _ in pages} == {"PAYMENTS_SUCCESS_URL", "NOTIFICATIONS_BOOKING_PAGE"}
    for name, page in pages:
        assert parse_qs(urlsplit(page).query).keys() <= signature(show_outbox).parameters.keys(), name


def _loaded(file: Path) -> list[Any]:
    return documents(file) if file.suffix == ".yaml" else []
