"""`courtside topics plan`, `apply` and `acls`: arguments in, plans out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.broker import BrokerSettings
from deploy.topics import acls as rights
from deploy.topics import provisioning
from deploy.topics.plan import ADD_PARTITIONS, ALLOW_DATA_LOSS, NEVER, Change

DIFFERENT = 3
"""The exit code of a look that found a difference, for a pipeline that only wants to know."""

console = Console()
topics = typer.Typer(no_args_is_help=True, help="The topics at the broker, and who may do what with them.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON array, and nothing else, on stdout.")]


@topics.command()
def plan(as_json: AsJson = False) -> None:
    """Show how the broker's topics differ from what they must be. Exit code 0: not at all; 3: as shown."""
    changes = asyncio.run(provisioning.plan(BrokerSettings.read()))
    _show(changes, as_json)
    raise typer.Exit(DIFFERENT if changes else 0)


@topics.command()
def apply(
    as_json: AsJson = False,
    add_partitions: Annotated[
        bool, typer.Option(ADD_PARTITIONS, help="Yes, although the keys of the topic move to other partitions.")
    ] = False,
    allow_data_loss: Annotated[
        bool, typer.Option(ALLOW_DATA_LOSS, help="Yes, although records are kept for a shorter time.")
    ] = False,
) -> None:
    """Make what is missing and change what differs; all of the plan, or nothing when a part of it is refused."""
    flags = {ADD_PARTITIONS: add_partitions, ALLOW_DATA_LOSS: allow_data_loss}
    allowed = [flag for flag, given in flags.items() if given]
    _show(asyncio.run(provisioning.provision(BrokerSettings.read(), allowed)), as_json)


@topics.command()
def acls(
    as_json: AsJson = False,
    apply_them: Annotated[
        bool, typer.Option("--apply", help="Grant what is missing, and take away what is not in the files.")
    ] = False,
) -> None:
    """Show how the users' rights at the broker differ from `deploy/acls/`. Exit code 0: not at all, or applied; 3: as shown."""
    settings = BrokerSettings.read()
    found = asyncio.run(rights.apply(settings) if apply_them else rights.plan(settings))
    if as_json:
        print(json.dumps([difference.shown() for difference in found]))
    else:
        _print_table(("", "user", "operation", "on"), (tuple(each.shown().values()) for each in found), "the rights")
    raise typer.Exit(DIFFERENT if found and not apply_them else 0)


def _show(changes: Sequence[Change], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(change) for change in changes]))
        return
    rows = ((c.topic, c.setting, c.now or "-", c.wanted, _remark(c)) for c in changes)
    _print_table(("topic", "setting", "now", "wanted", ""), rows, "the topics")


def _remark(change: Change) -> str:
    if change.obstacle == NEVER:
        return "[red]never done here[/red]"
    return f"[yellow]needs {change.obstacle}[/yellow]" if change.obstacle else ""


def _print_table(columns: Sequence[str], rows: Iterable[Sequence[str]], what: str) -> None:
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*row)
    console.print(table if table.row_count else f"Nothing differs: {what} are as they must be.")
