"""What an overlay becomes: `kustomize build`, of the version that `go.mod` names by hash."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import stamina
import yaml

from deploy.local.environment import ROOT

KUBERNETES = ROOT / "deploy" / "kubernetes"
Manifest = Mapping[str, Any]


@cache
def rendered(overlay: str) -> list[Manifest]:
    _download_modules()
    return list(yaml.safe_load_all(_go("tool", "kustomize", "build", str(KUBERNETES / "overlays" / overlay))))


@cache
@stamina.retry(on=AssertionError, attempts=3, wait_initial=1.0, timeout=None)
def _download_modules() -> None:
    """Go gives up at the first name that is not found."""
    _go("mod", "download")


def _go(*arguments: str) -> str:
    command = [go(), "-C", str(Path(__file__).parent), *arguments]
    environment = os.environ | {"GOFLAGS": "-mod=readonly"}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


def of(overlay: str, kind: str, **labels: str) -> list[Manifest]:
    """Those of a kind with these labels (`component="api"` is `app.kubernetes.io/component`)."""
    wanted = {f"app.kubernetes.io/{name}": value for name, value in labels.items()}
    found = (each for each in rendered(overlay) if each["kind"] == kind)
    return [each for each in found if wanted.items() <= each["metadata"].get("labels", {}).items()]


def go() -> str:
    """Where Go is. A machine without it skips these tests; CI must have it."""
    found = shutil.which("go")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI has no go: the manifests would go unrendered")
    if found is None:
        pytest.skip("no go on this machine")
    return found
