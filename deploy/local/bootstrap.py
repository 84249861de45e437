"""Makes `.venv` with what a developer needs, from the hash-pinned requirements. Runs on a bare Python 3.11+: standard library only."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main(venv: Path) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036 - the one file that an older Python may meet
        print(f"Courtside needs Python 3.11 or newer; this is {sys.version.split()[0]}. Try: make PYTHON=python3.13 up", file=sys.stderr)
        return 2
    python = venv / "bin" / "python"
    if not python.exists():
        print(f"creating {venv.name}", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", str(venv)], check=False).returncode:
            print("python3 -m venv failed. On Debian and Ubuntu: apt-get install python3-venv", file=sys.stderr)
            return 2
    run = lambda *command: subprocess.run([str(python), "-m", *command], check=True, cwd=ROOT)  # noqa: E731
    if not (venv / "bin" / "uv").exists():
        run("pip", "install", "--quiet", "--disable-pip-version-check", "uv")
    print("installing the pinned requirements (about 400 MB the first time: a Java runtime and PostgreSQL are among them)", flush=True)
    run("uv", "pip", "sync", "--python", str(python), "--require-hashes", "requirements/dev.txt")
    run("uv", "pip", "install", "--python", str(python), "--quiet", "--no-deps", "--no-build-isolation", "-e", ".", "-e", "contracts")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
