"""`courtside dead-letters …`: the desk of a service's dead letters, over HTTP, as an admin."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from deploy.desk import Service, ask
from deploy.local.errors import WrongEnvironment
from deploy.printable import as_json, as_text

app = typer.Typer(
    no_args_is_help=True, help="What could not be handled: look at it, send it again, mend it, discard it."
)
console = Console(width=None if sys.stdout.isatty() else 200)  # a pipe has no width, and an id is not to be cut


ServiceOption = Annotated[Service, typer.Option("--service", "-s", help="Whose dead letters.")]
TokenOption = Annotated[
    str, typer.Option(envvar="COURTSIDE_TOKEN", help="An admin's bearer token; else one is minted with the local key.")
]
UrlOption = Annotated[str, typer.Option(help="The service's address; else the local stack's.")]
JsonOption = Annotated[bool, typer.Option("--json", help="The API's answer as it is.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept with your name.")]
LetterArgument = Annotated[str, typer.Argument(help="The id of a dead letter.")]

ErrorClass = Annotated[str | None, typer.Option(help="Of this error, such as Fatal.")]
Type = Annotated[str | None, typer.Option("--type", help="Of this type of event.")]
Topic = Annotated[str | None, typer.Option(help="First read from this topic.")]
Key = Annotated[str | None, typer.Option(help="With this key.")]
Since = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"], help="Died then or later.")
]


@app.command("list")
def list_letters(
    service: ServiceOption,
    error_class: ErrorClass = None,
    type_: Type = None,
    topic: Topic = None,
    key: Key = None,
    since: Since = None,
    state: Annotated[list[str] | None, typer.Option(help="open, redriven, settled, died_again, discarded.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100)] = 20,
    cursor: Annotated[str | None, typer.Option(help="`next_cursor` of the page before.")] = None,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """The newest first; open ones unless `--state` says otherwise."""
    asked = _selection(error_class, type_, topic, key, since) | {"state": state, "limit": limit, "cursor": cursor}
    answer = ask(service, url, token, "GET", "", params={name: value for name, value in asked.items() if value})
    columns = ("id", "state", "type", "error_class", "error_message", "attempts", "died_at")
    _show(answer, for_programs, columns, answer["items"])
    if answer["next_cursor"] and not for_programs:
        console.print(as_text(f"More: --cursor {answer['next_cursor']}"), soft_wrap=True)


@app.command()
def groups(
    service: ServiceOption,
    error_class: ErrorClass = None,
    type_: Type = None,
    topic: Topic = None,
    key: Key = None,
    since: Since = None,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """The open ones by error, type and consumer: how many, since when."""
    asked = _selection(error_class, type_, topic, key, since)
    answer = ask(service, url, token, "GET", "/groups", params=asked)
    _show(answer, for_programs, ("count", "error_class", "type", "consumer", "oldest", "newest"), answer["items"])


@app.command()
def show(
    letter_id: LetterArgument,
    service: ServiceOption,
    token: TokenOption = "",
    url: UrlOption = "",
) -> None:
    """Everything about one, as JSON: headers, value, what was decided, and the letters of the same event."""
    print(as_json(ask(service, url, token, "GET", f"/{letter_id}"), indent=2))


@app.command()
def redrive(
    service: ServiceOption,
    reason: ReasonOption,
    letter_id: Annotated[str | None, typer.Argument(help="One letter; without it, all that meet the filters.")] = None,
    error_class: ErrorClass = None,
    type_: Type = None,
    topic: Topic = None,
    key: Key = None,
    since: Since = None,
    everything: Annotated[bool, typer.Option("--all", help="All open ones, without a filter.")] = False,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """Send one again, or a group: of a group ten first, and the rest when those ended well."""
    selection = _selection(error_class, type_, topic, key, since)
    if sum(map(bool, (letter_id, selection, everything))) != 1:
        raise WrongEnvironment("say which: the id of one letter, or filters of a group, or --all")
    path = f"/{letter_id}/redrive" if letter_id else "/redrives"
    _tell(ask(service, url, token, "POST", path, json=selection | {"reason": reason}), for_programs)


@app.command("redrive-status")
def redrive_status(
    redrive_id: Annotated[str, typer.Argument(help="The id that `redrive` answered.")],
    service: ServiceOption,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """How far a group is, and how its letters ended."""
    _tell(ask(service, url, token, "GET", f"/redrives/{redrive_id}"), for_programs)


@app.command()
def halt(
    redrive_id: Annotated[str, typer.Argument(help="The id that `redrive` answered.")],
    service: ServiceOption,
    reason: ReasonOption,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """Send no more of a group."""
    _tell(ask(service, url, token, "POST", f"/redrives/{redrive_id}/halt", json={"reason": reason}), for_programs)


@app.command()
def edit(
    letter_id: LetterArgument,
    service: ServiceOption,
    reason: ReasonOption,
    file: Annotated[Path, typer.Option(help="The new value, a JSON object.", exists=True, dir_okay=False)],
    type_: Annotated[str | None, typer.Option("--type", help="When the letter's own cannot be read.")] = None,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """Send a new event in its place."""
    try:
        value = json.loads(file.read_bytes())
    except ValueError as error:
        raise WrongEnvironment(f"{file} is no JSON ({error})") from error
    body = {"value": value, "reason": reason} | ({"type": type_} if type_ else {})
    _tell(ask(service, url, token, "POST", f"/{letter_id}/edit", json=body), for_programs)


@app.command()
def discard(
    letter_id: LetterArgument,
    service: ServiceOption,
    reason: ReasonOption,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """Close one without sending anything."""
    _tell(ask(service, url, token, "POST", f"/{letter_id}/discard", json={"reason": reason}), for_programs)


@app.command()
def reopen(
    letter_id: LetterArgument,
    service: ServiceOption,
    reason: ReasonOption,
    token: TokenOption = "",
    url: UrlOption = "",
    for_programs: JsonOption = False,
) -> None:
    """Take one up again that was redriven and never heard of: only once the whole ladder of retries is over."""
    _tell(ask(service, url, token, "POST", f"/{letter_id}/reopen", json={"reason": reason}), for_programs)


def _selection(
    error_class: str | None, type_: str | None, topic: str | None, key: str | None, since: datetime | None
) -> dict[str, Any]:
    """What was given. A time without an offset is this machine's."""
    moment = since and since.astimezone().isoformat()
    asked = {"error_class": error_class, "type": type_, "topic": topic, "key": key, "since": moment}
    return {name: value for name, value in asked.items() if value is not None}


def _show(answer: dict[str, Any], for_programs: bool, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    if for_programs:
        print(as_json(answer))
        return
    table = Table(box=None)
    for name in columns:
        table.add_column(name, no_wrap=name == "id")  # an id is copied
    for row in rows:
        table.add_row(*(as_text("" if row[name] is None else str(row[name])) for name in columns))
    console.print(table)


def _tell(answer: dict[str, Any], for_programs: bool) -> None:
    if for_programs:
        print(as_json(answer))
    else:
        told = f"{answer['id']} is {answer['state']}." if "total" not in answer else _of_a_group(answer)
        console.print(as_text(told), soft_wrap=True)


def _of_a_group(answer: dict[str, Any]) -> str:
    ends = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in answer["outcomes"].items())
    return f"{answer['id']}: {answer['sent']} of {answer['total']} sent ({ends}). {answer['next']}"
