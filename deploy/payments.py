"""`courtside payments …`: what an operator may ask of the payment service, over HTTP, as an admin."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import Console

from deploy.dead_letters import JsonOption, TokenOption, UrlOption
from deploy.desk import Service, ask
from deploy.local.errors import WrongEnvironment

app = typer.Typer(no_args_is_help=True, help="Compare with Polar.")
console = Console(soft_wrap=True, highlight=False, markup=False)

PREFIX = "/v1/ops/reconciliations"
LOOK_EVERY_SECONDS = 0.5
LONGEST_SECONDS = 3_600.0
"""A hundred thousand orders are a thousand pages; Polar allows some hundred a minute."""


@app.callback()
def payments() -> None:
    """With one verb alone, typer would leave its name out."""


@app.command()
def reconcile(
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"], help="What was made then or later; else everything."),
    ] = None,
    token: TokenOption = "",
    url: UrlOption = "",
    as_json: JsonOption = False,
) -> None:
    """Compare orders, refunds and payment pages with Polar, mend what is safe, and list the rest. Exit code 1 when something is left."""
    asked = {"since": since.astimezone().isoformat()} if since else {}  # without an offset, a time is this machine's
    told = _to_its_end(ask(Service.PAYMENTS, url, token, "POST", "", PREFIX, json=asked), url, token)
    if as_json:
        print(json.dumps(told, ensure_ascii=False))
    else:
        _tell(told)
    raise typer.Exit(1 if told["differences"] or told["failure"] else 0)


def _to_its_end(told: dict[str, Any], url: str, token: str) -> dict[str, Any]:
    deadline = time.monotonic() + LONGEST_SECONDS
    while told["state"] == "running":
        if time.monotonic() > deadline:
            raise WrongEnvironment(f"comparison {told['id']} does not end: its process was stopped, perhaps; ask again")
        time.sleep(LOOK_EVERY_SECONDS)
        told = ask(Service.PAYMENTS, url, token, "GET", f"/{told['id']}", PREFIX)
    return told


def _tell(told: dict[str, Any]) -> None:
    console.print(f"Seen: {_counted(told['seen'])}. Mended: {_counted(told['repaired'])}.")
    for one in told["differences"]:
        console.print(f"Left: {one['kind']} {one['subject']} {one['detail']}".rstrip())
    if told["failure"]:
        console.print(f"Broken off: {told['failure']}")


def _counted(numbers: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in numbers.items()) or "nothing"
