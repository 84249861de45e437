"""Processes that outlive the command which started them: start, find again by pid file, wait until they serve, stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.environment import ROOT
from deploy.local.errors import PartFailed
from deploy.local.ports import ready, refuse_used_port
from deploy.local.start_times import start_time

POLL_SECONDS = 0.05
LOG_TAIL_LINES = 15


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the stack. `ready_url` answers 200 (`http:`) or accepts a connection (`tcp:`) once the part serves."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str
    ready_seconds: float = 60
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 20  # a service drains for at most 15 s
    user: int | None = None
    """The system user to run as, by number, when that is not the one who asks."""

    @property
    def port(self) -> int:
        return urlsplit(self.ready_url).port or 80


@dataclass(frozen=True, slots=True)
class Job:
    """A program that runs to its end, such as a migration."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """What a pid file holds. A pid alone could since belong to a foreign program, so the start time goes with it."""

    pid: int
    started: str
    port: int = 0
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 20

    @classmethod
    def read(cls, text: str) -> Running:
        """A file of another version of this program counts too, or its process would be lost; one that was cut short names none."""
        try:
            found = json.loads(text)
            return cls(**{f.name: found[f.name] for f in fields(cls) if f.name in found})
        except (ValueError, TypeError):
            return cls(pid=0, started="")


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one stack: their pid files below `run`, their output below `logs`."""

    run: Path
    logs: Path
    _children: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    """Those that this very program started: they need a wait() once they end, or they stay as zombies."""

    def running(self, name: str) -> Running | None:
        """None when it is not running; a pid file that a crash or a reboot left is removed on the way."""
        try:
            found = Running.read(self._pid_file(name).read_text())
        except FileNotFoundError:
            return None
        if self._alive(found):
            return found
        self._pid_file(name).unlink(missing_ok=True)
        return None

    def names(self) -> list[str]:
        return [name for name in sorted(file.stem for file in self.run.glob("*.pid")) if self.running(name)]

    def start(self, part: Part) -> Running:
        refuse_used_port(part.name, part.port)
        child = self._spawn(part)
        started = start_time(child.pid) or ""
        running = Running(child.pid, started, part.port, part.stop_signal, part.stop_seconds)
        self.run.mkdir(parents=True, exist_ok=True)
        self._pid_file(part.name).write_text(json.dumps(asdict(running)))
        return running

    async def until_ready(self, part: Part) -> None:
        deadline = time.monotonic() + part.ready_seconds
        while not await asyncio.to_thread(ready, part.ready_url):
            if self.running(part.name) is None:
                raise PartFailed(f"{part.name} died while starting; its log ends with:", self.log_tail(part.name))
            if time.monotonic() > deadline:
                sentence = f"{part.name} runs, but {part.ready_url} was not ready within {part.ready_seconds:.0f} s"
                raise PartFailed(f"{sentence}; its log ends with:", self.log_tail(part.name))
            await asyncio.sleep(POLL_SECONDS)

    async def stop(self, name: str) -> None:
        """Asks first; after the part's `stop_seconds` the whole session of the process is killed."""
        if not (running := self.running(name)):
            return
        os.kill(running.pid, running.stop_signal)
        if not await self._ended(running, running.stop_seconds):
            await self.kill(name)
        self._pid_file(name).unlink(missing_ok=True)

    async def kill(self, name: str) -> None:
        """SIGKILL for the whole session of the process, without a word of warning."""
        if running := self.running(name):
            os.killpg(running.pid, signal.SIGKILL)
            await self._ended(running, seconds=10)
            self._pid_file(name).unlink(missing_ok=True)

    async def finish(self, job: Job) -> None:
        """Runs a job to its end; when the wait is given up, so is the job."""
        child = self._spawn(job)
        try:
            while child.poll() is None:  # noqa: ASYNC110 - the system sends no event that every platform's loop can await
                await asyncio.sleep(POLL_SECONDS)
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)  # with its own children: initdb has some
            child.wait()
            raise
        if child.returncode:
            sentence = f"{job.name} failed with exit code {child.returncode}; its log ends with:"
            raise PartFailed(sentence, self.log_tail(job.name))

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def log_tail(self, name: str) -> str:
        try:
            lines = self.log(name).read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-LOG_TAIL_LINES:])

    def _pid_file(self, name: str) -> Path:
        return self.run / f"{name}.pid"

    def _spawn(self, program: Part | Job) -> subprocess.Popen[bytes]:
        """In a session of its own, so that neither Ctrl-C nor a closed terminal reaches it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        log = self.log(program.name)
        if log.exists():
            log.replace(log.with_suffix(".previous.log"))
        with log.open("wb") as output:
            try:
                child = subprocess.Popen(  # noqa: S603 - commands are built here, never taken from input
                    program.command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**_inherited(), **program.environment},
                    cwd=ROOT if program.user is None else "/",
                    start_new_session=True,
                    **_identity(program.user),
                )
            except OSError as error:
                raise PartFailed(f"{program.name} could not be started: {error}") from error
        self._children[child.pid] = child
        return child

    async def _ended(self, running: Running, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._alive(running):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _alive(self, running: Running) -> bool:
        started = start_time(running.pid)
        child = self._children.get(running.pid)
        if child and child.poll() is None:
            return started in (running.started, None)  # None: its first thread is gone, others still end
        return started == running.started


def _inherited() -> dict[str, str]:
    """Without bytecode each Python process of the stack takes 3 s to import its libraries instead of 1 s."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _identity(user: int | None) -> dict[str, Any]:
    return {} if user is None else {"user": user, "group": pwd.getpwuid(user).pw_gid, "extra_groups": ()}
