"""`courtside doctor`: everything that can be asked, in one table, with what to do about it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deploy.broker import BrokerSettings
from deploy.doctor import broker, processes
from deploy.doctor.findings import Finding
from deploy.local.environment import HOST, SERVICES, Ports
from deploy.local.errors import WrongEnvironment
from deploy.printable import printable

COLOURS = {"ok": "green", "warn": "yellow", "fail": "red"}


def doctor(
    at: Annotated[
        list[str] | None,
        typer.Option(help="A process, as name=http://host:port; once for each. Those of `courtside up` when none."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON array, and nothing else, on stdout.")] = False,
) -> None:
    """Ask every process and the broker how they are, and say what to do. Exit code 0: all is well; 1: not so."""
    findings = asyncio.run(examine(_addresses(at or ()), BrokerSettings.read()))
    if as_json:
        print(json.dumps([finding.shown() for finding in findings]))
    else:
        Console().print(_table(findings))
    raise typer.Exit(any(finding.level != "ok" for finding in findings))


async def examine(addresses: dict[str, str], settings: BrokerSettings) -> list[Finding]:
    of_processes, of_broker = await asyncio.gather(processes.look(addresses), broker.look(settings))
    return [*of_processes, *of_broker]


def _addresses(at: Sequence[str]) -> dict[str, str]:
    if wrong := [given for given in at if "=http" not in given]:
        raise WrongEnvironment(f"--at is name=http://host:port, not {wrong[0]!r}")
    ports = Ports.read(os.environ)
    local = {service: f"http://{HOST}:{getattr(ports, service)}" for service in SERVICES}
    return dict(given.split("=", 1) for given in at) or local


def _table(findings: Iterable[Finding]) -> Table:
    """What is wrong first; what others wrote is text, never markup."""
    table = Table("", "where", "what", "says", "what to do", box=None)
    order = list(COLOURS)
    for one in sorted(findings, key=lambda finding: -order.index(finding.level)):
        cells = (Text(printable(cell)) for cell in (one.where, one.check, one.said, one.todo))
        table.add_row(Text(one.level, COLOURS[one.level]), *cells)
    return table
