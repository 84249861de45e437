"""Makes `.venv` with what a developer needs, from the hash-pinned requirements. Runs on a bare Python 3.11+: standard library only."""

from __future__ import annotations

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(folder: Path) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may meet
        version = sys.version.split()[0]
        return _complain(f"Courtside needs Python 3.11 or newer, this is {version}. Try: make PYTHON=python3.13 up", 2)
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"creating {folder.name}", flush=True)
        venv.create(folder, symlinks=True, with_pip=False)  # Debian's Python lacks what pip would come from
    uv = _uv(folder, python)
    if not uv:
        return _complain("neither uv nor pip is there. On Debian and Ubuntu: apt-get install python3-pip", 2)
    print(
        "installing the pinned requirements; the first time about 450 MB, with PostgreSQL and Java among them",
        flush=True,
    )
    # With bytecode now, since every process of the stack would otherwise compile the same libraries at the same time.
    pinned = ("sync", "--compile-bytecode", "--require-hashes", "requirements/dev.txt")
    ours = ("install", "--quiet", "--no-deps", "--no-build-isolation", "-e", ".", "-e", "contracts")
    for verb, *arguments in (pinned, ours):
        if not _succeeds(uv, "pip", verb, "--python", str(python), *arguments):
            return _complain(f"`uv pip {verb}` failed, as shown above; the same command goes on from here", 1)
    return 0


def _uv(folder: Path, python: Path) -> str | None:
    """The one in the environment; else the system's; else one that pip installs, the environment's pip or the system's."""
    own = folder / "bin" / "uv"
    if own.exists():
        return str(own)
    if found := shutil.which("uv"):
        return found
    print("installing uv", flush=True)
    install = ("install", "--quiet", "--disable-pip-version-check", "uv")
    if _succeeds(str(python), "-m", "ensurepip", "--default-pip", quiet=True):
        return str(own) if _succeeds(str(python), "-m", "pip", *install) else None
    return str(own) if _succeeds(sys.executable, "-m", "pip", "--python", str(python), *install) else None


def _succeeds(*command: str, quiet: bool = False) -> bool:
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, check=False, cwd=ROOT, stdout=output, stderr=output).returncode == 0  # noqa: S603 - fixed commands


def _complain(sentence: str, exit_code: int) -> int:
    print(f"courtside: {sentence}", file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
