"""A disk of few megabytes in the place of a folder. Who may mount none, by `sudo` neither, leaves its tests out; CI must."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

PIECE_BYTES = 4_096


@dataclass(frozen=True)
class Disk:
    place: Path

    @property
    def ballast(self) -> Path:
        return self.place / "ballast"

    def fill(self) -> None:
        """To the last page."""
        with self.ballast.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PIECE_BYTES))
            except OSError:
                return

    def free(self) -> None:
        self.ballast.unlink()


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Disk]:
    """What is in the folder lies on the small disk until the block ends, and then is gone. Nobody may have it open at either end."""
    folder = folder.resolve()
    with tempfile.TemporaryDirectory() as aside:
        _run("cp", "-a", f"{folder}/.", aside)
        if not _may_mount(folder, megabytes):
            if os.environ.get("CI"):
                pytest.fail("CI may not mount a small disk, by `sudo` neither: full disks would go untested")
            pytest.skip("mounting a small disk needs root, or a `sudo` that asks for no password")
        try:
            _run("cp", "-a", f"{aside}/.", str(folder))
            yield Disk(folder)
        finally:
            _run(*_as_root(), "umount", "--lazy", str(folder))


def _may_mount(folder: Path, megabytes: int) -> bool:
    """The disk belongs to whom the folder belongs."""
    owner = folder.stat()
    options = f"size={megabytes}m,uid={owner.st_uid},gid={owner.st_gid},mode={owner.st_mode & 0o7777:o}"
    if not all(shutil.which(program) for program in (*_as_root()[:1], "mount")):
        return False
    return _run(*_as_root(), "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder), check=False)


def _as_root() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("sudo", "-n")


def _run(*command: str, check: bool = True) -> bool:
    return subprocess.run(command, check=check, capture_output=True).returncode == 0
