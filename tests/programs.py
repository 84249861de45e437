"""Starting a program of the repository as a child process, on a free port, and ending it: kindly or not."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parent.parent
LOOK_EVERY_S = 0.02


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 60) -> None:
    """Returns as soon as the condition holds. AssertionError when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(LOOK_EVERY_S)


class Program:
    """`python -m <module>` with these environment variables. The output goes to a file and into the error when it fails."""

    def __init__(self, module: str, environment: Mapping[str, str], ready_url: str, log: Path) -> None:
        self._module = module
        self._environment = {**os.environ, **environment}
        self._ready_url = ready_url
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, within_s: float = 60) -> None:
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        wait_until(self._is_ready, f"{self._module} answers", within_s)

    def kill(self) -> None:
        """SIGKILL: the program gets no chance to tidy up."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)

    def stop(self) -> None:
        """SIGTERM; SIGKILL when it does not follow."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()

    def _is_ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"{self._module} ended early:\n{self._log.read_text()[-2000:]}")
        try:
            return httpx.get(self._ready_url, timeout=2, trust_env=False).is_success
        except httpx.TransportError:
            return False


def run_to_the_end(
    module: str, environment: Mapping[str, str], within_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """For a program that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", module],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
