"""Load on a service over HTTP, from a process beside this one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.environment import ROOT
from tests.bench.rounds import percentile

FOREVER_SECONDS = 900.0
"""For waves that end when everybody is answered, on however busy a machine."""


@dataclass(frozen=True)
class Load:
    """What became of one wave."""

    seconds: float
    statuses: Mapping[int, int]
    latencies_ms: Sequence[float]
    exhausted: bool
    """There were fewer requests than the time would have taken."""

    @property
    def per_second(self) -> float:
        return len(self.latencies_ms) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        return percentile(self.latencies_ms, percent)

    def require(self, *statuses: int) -> None:
        """A benchmark of refusals or errors would be a fast one."""
        unexpected = {status: count for status, count in self.statuses.items() if status not in statuses}
        assert not unexpected, f"answers other than {statuses}: {unexpected}"
        assert not self.exhausted, "the requests ran out before the time did"


async def sustain(url: str, clients: int, seconds: float, requests: Sequence[str], *, again: bool = False) -> Load:
    """So many clients at once for so long, each with one request under way. `again`: the same requests over and over."""
    (load,) = await _run(url, clients, [requests], seconds, again=again)
    return load


async def burst(url: str, clients: int, waves: Sequence[Sequence[str]]) -> list[Load]:
    """Wave by wave, each as fast as it is answered."""
    return await _run(url, clients, waves, FOREVER_SECONDS, again=False)


def request(method: str, path: str, headers: Mapping[str, str], body: str = "") -> str:
    told = {"Host": "127.0.0.1", "Accept": "application/json", **headers}
    if method == "POST":
        told |= {"Content-Type": "application/json", "Content-Length": str(len(body.encode()))}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines) + "\r\n\r\n" + body


async def _run(url: str, clients: int, waves: Sequence[Sequence[str]], seconds: float, *, again: bool) -> list[Load]:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    plan = {"host": host, "port": port, "clients": clients, "waves": waves, "seconds": seconds, "again": again}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(json.dumps(plan))
        file.flush()
        told = await output(sys.executable, "-m", "tests.bench.clients", file.name)
    return [
        Load(one["seconds"], {int(status): count for status, count in one["statuses"].items()}, *_rest(one))
        for one in json.loads(told)
    ]


def _rest(one: Mapping[str, object]) -> tuple[Sequence[float], bool]:
    return one["latencies_ms"], one["exhausted"]  # type: ignore[return-value]  # as the other process wrote them


async def output(*command: str, environment: Mapping[str, str] | None = None, folder: Path = ROOT) -> str:
    """What a program wrote. Raises with what it complained of when it failed."""
    child = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={**os.environ, **(environment or {})},
    )
    try:
        out, complaints = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        await child.wait()
        raise
    if child.returncode:
        raise RuntimeError(f"{command[0]} failed: {complaints.decode(errors='replace')[-2000:]}")
    return out.decode()
