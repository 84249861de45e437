"""Prometheus and promtool: those of the machine, or Debian's package, unpacked once beside Kafka's jars and never installed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from deploy.local.environment import HOST, ROOT, Paths
from tests.ports import free_port

OBSERVABILITY = ROOT / "deploy" / "observability"
RULES = OBSERVABILITY / "alerts.yml"
WHOM = ("process", "service", "provider", "group", "reason", "kind")
"""Labels by which an alarm is told from others of its name: the first of these that it has."""
NAMES = ("prometheus", "promtool")

SCRAPE = "2s"
"""How often, and for how long each may take: the machine is busy."""
WINDOW = "30s"
"""In the place of minutes and hours: fifteen scrapes."""
SOONER = {
    "oldest_age_seconds) > 60": "oldest_age_seconds) > 3",
    "})) > 1000": "})) > 10",
    f"event_age_seconds_bucket[{WINDOW}]))) > 60": f"event_age_seconds_bucket[{WINDOW}]))) > 5",
}
"""An evening's backlog and delay, as a test can bring them about."""


def program(name: str) -> str:
    """Raises `CalledProcessError` where there is neither the program nor Debian's package."""
    if found := shutil.which(name):
        return found
    folder = Paths.read(os.environ).home / "prometheus"
    if not (folder / name).exists():
        _unpack(folder)
    return str(folder / name)


def _unpack(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        download = ["apt-get", "download", "prometheus"]
        if subprocess.run(download, cwd=place, capture_output=True, check=False).returncode:
            subprocess.run(["apt-get", "update"], capture_output=True, check=True)  # noqa: S607
            subprocess.run(download, cwd=place, capture_output=True, check=True)
        (package,) = Path(place).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, place], check=True)  # noqa: S607
        for name in NAMES:
            shutil.move(Path(place) / "usr" / "bin" / name, folder / name)


@dataclass(frozen=True)
class Prometheus:
    url: str
    client: httpx.AsyncClient

    async def firing(self) -> set[tuple[str, str]]:
        """Name of each alert, and whom or what it is about: a process, say, a service or a kind, or "" for nobody in particular."""
        told = (await self.client.get(f"{self.url}/api/v1/alerts")).json()["data"]["alerts"]
        labels = (alert["labels"] for alert in told if alert["state"] == "firing")
        return {(one["alertname"], next((one[name] for name in WHOM if name in one), "")) for one in labels}


@asynccontextmanager
async def watching(targets: Mapping[str, str], place: Path) -> AsyncIterator[Prometheus]:
    """A real one over the repository's rules, at once and not after minutes. `targets` are `host:port` by service."""
    port = free_port()
    (place / "alerts.yml").write_text(quickened(RULES.read_text()))
    jobs = [
        {"job_name": service, "static_configs": [{"targets": [target], "labels": {"service": service, "role": "all"}}]}
        for service, target in targets.items()
    ]
    told = {"global": {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": "1s"}}
    (place / "prometheus.yml").write_text(json.dumps(told | {"rule_files": ["alerts.yml"], "scrape_configs": jobs}))
    command = (
        program("prometheus"),
        f"--config.file={place / 'prometheus.yml'}",
        f"--storage.tsdb.path={place / 'data'}",
        f"--web.listen-address={HOST}:{port}",
    )
    with (place / "prometheus.log").open("wb") as output:
        process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
    try:
        async with httpx.AsyncClient(timeout=10, trust_env=False) as client:
            await _until_ready(client, f"http://{HOST}:{port}", process)
            yield Prometheus(f"http://{HOST}:{port}", client)
    finally:
        process.terminate()
        await process.wait()


def quickened(rules: str) -> str:
    """The same rules: they wait for nothing, and look back for seconds."""
    rules = re.sub(r"\n +for: \S+", "", rules)
    rules = re.sub(r"\[\d+[mh]\]", f"[{WINDOW}]", rules)
    for late, soon in SOONER.items():
        assert rules.count(late) == 1, f"the rule with {late} reads otherwise now"
        rules = rules.replace(late, soon)
    return rules


async def _until_ready(client: httpx.AsyncClient, url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60):
        while True:
            assert process.returncode is None, "Prometheus ended: see prometheus.log"
            try:
                if (await client.get(f"{url}/-/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    return list(group["rules"])


def expressions() -> dict[str, str]:
    """Of the rules, by alert."""
    return {rule["alert"]: rule["expr"] for rule in rules()}
