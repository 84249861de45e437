"""One run: the system is built, the plan is played on it, it comes to rest, and the checker judges what is left behind."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.local.environment import SERVICES, Secrets
from tests.faults import checking
from tests.faults.clients.history import History, instant
from tests.faults.clients.scene import Scene
from tests.faults.clients.visiting import everybody_comes
from tests.faults.draining import Left, drain, heal
from tests.faults.nemesis.playing import play_all
from tests.faults.nemesis.storm import Storm
from tests.faults.plan.plan import Plan
from tests.faults.stack.clubs import RULES
from tests.faults.stack.parts import RUNNERS
from tests.faults.stack.system import RETRY_SECONDS, TOLD, running
from tests.working_tree import commit

POOLS, CONNECTIONS = 32, 64
"""A client of httpx looks at all of its connections for each request: with one for everybody it was two fifths of what the harness did."""


@dataclass(frozen=True)
class Limits:
    """How long it may take: until the system is at rest after the last fault, that anybody stands still with work waiting, a call to the
    mailer, and until no 503 is answered any more after a fault.
    """

    drain_seconds: float = 60.0
    idle_seconds: float = 60.0
    mail_call_seconds: float = float(TOLD["notifications"]["RESEND_CALL_SECONDS"])
    heals_seconds: float = 15.0


"""A worker may stand on one batch for a minute, which the product's own rule of half of that does not grant: five hundred records, in a
storm that leaves it a tenth of two cores."""

BUSY = Limits(drain_seconds=400.0, idle_seconds=180.0, mail_call_seconds=30.0, heals_seconds=120.0)
"""On a machine that has other things to do: then slowness says nothing about the product."""


@dataclass
class Run:
    """What is known of a run; `run.json` in its folder."""

    plan: Plan
    folder: Path
    storm: Storm
    limits: Limits
    started_at: str = ""
    last_fault_at: str | None = None
    drained_at: str | None = None
    drain_seconds: float | None = None
    left: Left = field(default_factory=dict)
    """What was not worked off in time."""

    def write(self) -> None:
        system, scene = self.storm.system, self.storm.scene
        told = {
            "seed": self.plan.seed,
            "minutes": self.plan.minutes,
            "commit": commit(),
            "started_at": self.started_at,
            "last_fault_at": self.last_fault_at,
            "drained_at": self.drained_at,
            "drain_seconds": self.drain_seconds,
            "left": self.left,
            "databases": {service: system.database_url(service) for service in SERVICES},
            "kafka": system.stack.bootstrap,
            "topic_prefix": system.prefix,
            "polar": system.url("polar"),
            "resend": system.url("resend"),
            "booking": system.url("booking-api"),
            "busy": self.limits == BUSY,
            "rules": RULES | {"retry_delay_seconds": RETRY_SECONDS} | asdict(self.limits),
            "hostile_users": sorted(scene.hostile),
            "canaries": [scene.canary, *_secrets(system.stack.installation.secrets)],
            "logs": str(self.folder / "logs"),
            "poison": self.storm.poison,
        }
        (self.folder / "run.json").write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n")

    def keep_logs(self) -> None:
        """Those of the services, of their migrations and of the database, in which nothing personal may stand, apart from the others."""
        logs = self.storm.system.stack.installation.paths.logs
        ours = ("migrate-", "postgres", *(runner.name for runner in RUNNERS))
        for folder, wanted in (("logs", True), ("other-logs", False)):
            (self.folder / folder).mkdir(exist_ok=True)
            for log in logs.glob("*.log"):
                if (log.name.startswith(ours) or "-beside-" in log.name) is wanted:
                    shutil.copy(log, self.folder / folder)


async def play(plan: Plan, folder: Path, limits: Limits = Limits()) -> bool:
    """Whether the verdict is clean. Everything that was seen is in the folder afterwards."""
    await asyncio.to_thread(folder.mkdir, parents=True)
    plan.write(folder / "plan.json")
    async with running() as system, _history(folder) as history, _pools() as pools:
        scene = Scene(system, history, pools, plan.seed)
        await scene.prepare()
        run = Run(plan, folder, Storm(system, scene), limits, instant())
        run.write()
        history.began = time.monotonic()
        async with checking.watched(folder):
            await _storm(run)
            await _come_to_rest(run)
        run.keep_logs()
        run.write()
        return await checking.judged(folder)


async def _storm(run: Run) -> None:
    over = asyncio.Event()
    with (run.folder / "faults.jsonl").open("w") as log:
        visits = asyncio.create_task(everybody_comes(run.storm.scene, run.plan, over))
        try:
            await play_all(run.storm, run.plan, log)
        finally:
            over.set()
            await visits


async def _come_to_rest(run: Run) -> None:
    """Timed from the moment on from which nothing is broken any more and the last visitor has gone. Then the last holds run out, and what
    comes of that ends, too.
    """
    system = run.storm.system
    await heal(run.storm)
    run.last_fault_at, healed = instant(), time.monotonic()
    run.write()
    run.left = await drain(system)
    if not run.left:
        run.drained_at, run.drain_seconds = instant(), round(time.monotonic() - healed, 1)
        run.left = await drain(system, also_holds=True)
    run.write()


@asynccontextmanager
async def _history(folder: Path) -> AsyncIterator[History]:
    with (folder / "history.jsonl").open("w", buffering=1) as file:
        yield History(file)


@asynccontextmanager
async def _pools() -> AsyncIterator[list[httpx.AsyncClient]]:
    """Clients that share the people between them."""
    limits, trusted = (
        httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
        ssl.create_default_context(),
    )
    async with AsyncExitStack() as stack:
        told: dict[str, Any] = {"timeout": 30, "trust_env": False, "limits": limits, "verify": trusted}
        yield [await stack.enter_async_context(httpx.AsyncClient(**told)) for _ in range(POOLS)]


def _secrets(secrets: Secrets) -> list[str]:
    return list(asdict(secrets).values())
