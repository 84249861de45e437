"""Node.js programs of the tests, with the packages of `tests/javascript/package-lock.json`, installed once and outside the tree."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from deploy.local.environment import Paths

FOLDER = Path(__file__).parent / "javascript"
MANIFEST = ("package.json", "package-lock.json")


def node() -> str:
    """Where Node.js is. A machine without it skips these tests; CI must have it."""
    found = shutil.which("node")
    if found is None and os.environ.get("CI"):
        pytest.fail("CI has no node: the AsyncAPI document and the JavaScript consumer would go untested")
    if found is None:
        pytest.skip("no node on this machine")
    return found


def installed() -> Path:
    """A folder whose `node_modules` is what the lock says, and which is named by it: another lock is another folder."""
    locked = hashlib.sha256(b"".join((FOLDER / name).read_bytes() for name in MANIFEST)).hexdigest()[:16]
    place = Paths.read(os.environ).home / "node" / locked
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent) as fresh:
            _install(Path(fresh) / "packages", place)
    return place


def _install(fresh: Path, place: Path) -> None:
    fresh.mkdir()
    for name in MANIFEST:
        shutil.copy(FOLDER / name, fresh)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    ended = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, f"npm ci failed:\n{ended.stderr[-2000:]}"
    if not place.exists():  # another run may have been faster
        fresh.rename(place)


def beside_the_packages(script: Path) -> Path:
    """ECMAScript modules look for packages in the folders above them, so the script must stand there."""
    copy = installed() / script.name
    copy.write_text(script.read_text())
    return copy
