"""`courtside up`, `down`, `reset`, `logs` and `status`: arguments in, the stack called, tables out."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import logs as part_logs
from deploy.local.environment import HOST, SERVICES, Installation, Paths, Ports
from deploy.local.errors import WrongEnvironment
from deploy.local.keys import ensure_keys
from deploy.local.ports import ready
from deploy.local.processes import Processes
from deploy.local.progress import Steps
from deploy.local.stack import PARTS, Stack, courtside, stop
from deploy.local.system_user import remove_place

console = Console()
INTERRUPTED = 130


def up() -> None:
    """Start PostgreSQL, Kafka, both stand-ins and the three services; go on where a former start ended."""
    ports, paths = Ports.read(os.environ), Paths.read(os.environ)
    began = time.monotonic()
    with alone(paths):
        stack = _stack(ports, paths)
        if asyncio.run(stack.is_up()):
            console.print("Courtside is up already.")
        else:
            _bring_up(stack)
            console.print(f"Courtside is up, after {time.monotonic() - began:.1f} s.", highlight=False)
    _print_first_steps(stack.installation)


def down() -> None:
    """Stop everything that `up` started; the data stays."""
    paths = Paths.read(os.environ)
    with alone(paths):
        stopped = asyncio.run(stop(_processes(paths)))
    console.print(
        f"Stopped: {', '.join(stopped)}. The data stays." if stopped else "Nothing was running.", soft_wrap=True
    )


def reset() -> None:
    """Stop everything and remove its data. What was downloaded stays."""
    paths = Paths.read(os.environ)
    with alone(paths):
        asyncio.run(stop(_processes(paths)))
        remove_place(paths.postgres)
        for folder in (paths.run, paths.logs, paths.keys, paths.kafka, paths.standins):
            shutil.rmtree(folder, ignore_errors=not folder.exists())
    console.print(f"The data below {paths.home} is removed.", highlight=False, soft_wrap=True)


def status() -> None:
    """Show which parts run; exit code 1 unless all are ready."""
    ports, paths = Ports.read(os.environ), Paths.read(os.environ)
    stack = _stack(ports, paths)
    table = Table("part", "state", "pid", "address", box=None)
    all_ready = True
    for name, url in stack.ready_urls().items():
        running = stack.processes.running(name)
        is_ready = running is not None and ready(url)
        all_ready &= is_ready
        state = "ready" if is_ready else "not ready" if running else "stopped"
        table.add_row(name, state, str(running.pid) if running else "", f"{HOST}:{running.port}" if running else "")
    console.print(table)
    if not all_ready:
        raise typer.Exit(1)


def logs(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Some of: {', '.join(PARTS)}. All when none is named.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(min=0, help="How many lines of each log to begin with.")] = 50,
) -> None:
    """Print the logs of the parts, each line after the name of its part."""
    paths = Paths.read(os.environ)
    names = parts or list(PARTS)
    if unknown := [name for name in names if name not in PARTS and not (paths.logs / f"{name}.log").exists()]:
        raise WrongEnvironment(f"there is no part {unknown[0]}; there are {', '.join(PARTS)}")
    width = max(map(len, names))
    try:
        for name, line in part_logs.last_lines(paths.logs, names, lines):
            print(f"{name:<{width}} | {line}", flush=follow)
        for name, line in part_logs.follow(paths.logs, names) if follow else ():
            print(f"{name:<{width}} | {line}", flush=True)
    except KeyboardInterrupt:
        raise typer.Exit from None


@contextmanager
def alone(paths: Paths) -> Iterator[None]:
    """One command at a time changes a stack; the lock goes with its process, however that ends."""
    paths.home.mkdir(parents=True, exist_ok=True)
    with (paths.home / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = f" (pid {pid})" if (pid := lock.read().strip()) else ""
            raise WrongEnvironment(
                f"another courtside command{holder} is at work on {paths.home}: wait for it, or stop it"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _stack(ports: Ports, paths: Paths) -> Stack:
    installation = Installation(ports, paths, ensure_keys(paths.keys))
    return Stack(installation, courtside(installation), controller_port=Ports.read_controller(os.environ))


def _processes(paths: Paths) -> Processes:
    return Processes(paths.run, paths.logs)


def _bring_up(stack: Stack) -> None:
    try:
        with Steps(console) as steps:
            asyncio.run(stack.up(steps))
    except KeyboardInterrupt:
        print("Interrupted. What this start had begun is stopped again; `courtside up` starts anew.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None


def _print_first_steps(installation: Installation) -> None:
    from services.booking.venues.seed import VENUE_ID  # noqa: PLC0415 - its libraries take a second, wanted at the end only

    addresses = {service: f"{installation.url(service)}/docs" for service in SERVICES} | {
        "payments at Polar": installation.url("polar"),
        "mails at Resend": installation.url("resend"),
        "PostgreSQL": installation.database_url("booking"),
        "Kafka": f"{HOST}:{installation.ports.kafka}",
    }
    for part, address in addresses.items():
        print(f"  {part:<18} {address}")
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date()
    url = f"{installation.url('booking')}/v1/availability?venue_id={VENUE_ID}&from={tomorrow}"
    print(f"\nWhich slots are free tomorrow?\n  curl '{url}'")
