"""What a downstream team installs: the wheel of courtside-contracts, in an environment that has nothing of this repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from email.parser import Parser
from pathlib import Path

import pytest
import uv

from courtside_contracts.catalogue import EVENTS
from deploy.local.environment import ROOT

IMPORTS_ALL = """
import importlib, pkgutil, courtside_contracts
print(courtside_contracts.__file__)
for module in pkgutil.iter_modules(courtside_contracts.__path__, "courtside_contracts."):
    importlib.import_module(module.name)
    print(module.name)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True)
class Installed:
    wheel: Path
    place: Path

    @property
    def python(self) -> Path:
        return self.place / "bin" / "python"


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Without this repository's paths and environment, which would lend it what it lacks."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    ended = subprocess.run(command, cwd=cwd, env=clean, capture_output=True, text=True, timeout=200, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Built by hatchling, installed by uv with what the wheel itself says that it needs."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT / "contracts")
    [wheel] = folder.glob("*.whl")
    place, installer = folder / "venv", uv.find_uv_bin()
    run(installer, "venv", "--python", sys.executable, place)
    run(installer, "pip", "install", "--python", place / "bin" / "python", wheel)
    return Installed(wheel, place)


def test_pydantic_is_its_only_dependency(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        [metadata] = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        needs = Parser().parsestr(wheel.read(metadata).decode()).get_all("Requires-Dist")
    assert [need.partition(">")[0] for need in needs or ()] == ["pydantic"]
    run(uv.find_uv_bin(), "pip", "check", "--python", installed.python)


def test_every_module_is_imported_from_the_wheel_alone(installed: Installed) -> None:
    place, *modules = run(installed.python, "-I", "-c", IMPORTS_ALL, cwd=installed.place).splitlines()
    assert place.startswith(str(installed.place))
    files = {f"courtside_contracts.{file.stem}" for file in (ROOT / "contracts" / "courtside_contracts").glob("*.py")}
    assert {*modules, "courtside_contracts.__init__"} == files


def test_types_and_schemas_come_with_it(installed: Installed) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        names = set(wheel.namelist())
        document = wheel.read("courtside_contracts/asyncapi.yaml")
    assert "courtside_contracts/py.typed" in names
    assert {f"courtside_contracts/json_schemas/{event}.json" for event in EVENTS} <= names
    assert document == (ROOT / "contracts" / "asyncapi.yaml").read_bytes()
