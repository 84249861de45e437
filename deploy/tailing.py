"""`courtside events tail`: what is on the topics, for people and for programs. Reads without a group, so it disturbs nobody."""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Self
from uuid import UUID

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.text import Text

from courtside_contracts.envelope import Envelope, MalformedEnvelope
from courtside_contracts.topics import BOOKING_EVENTS, COURT_EVENTS, NOTIFICATION_EVENTS, PAYMENT_EVENTS
from deploy.broker import BrokerSettings
from deploy.local.errors import PartFailed
from deploy.printable import as_json, as_text
from deploy.reading import Record, read

PUBLIC_TOPICS = tuple(topic.name for topic in (BOOKING_EVENTS, COURT_EVENTS, PAYMENT_EVENTS, NOTIFICATION_EVENTS))
"""What is shown when no topic is named. `user.profiles` has personal data: whoever wants that must say so."""

events = typer.Typer(no_args_is_help=True, help="What is on the topics.")


@dataclass(frozen=True, slots=True)
class Shown:
    """One record, readable whatever its bytes are. `type` is empty when it is no CloudEvent."""

    topic: str
    partition: int
    offset: int
    time: str
    key: str | None
    type: str
    id: str | None
    data: Any

    @classmethod
    def of(cls, record: Record, prefix: str = "") -> Self:
        kind, event_id, time = _attributes(record)
        topic = record.topic.removeprefix(prefix)
        return cls(topic, record.partition, record.offset, time, _text(record.key), kind, event_id, _data(record.value))

    def as_json(self) -> str:
        return as_json({name: getattr(self, name) for name in self.__slots__})

    def as_line(self) -> Text:
        """Control characters are escaped: a record must not drive somebody's terminal."""
        data = self.data if isinstance(self.data, str) else json.dumps(self.data, ensure_ascii=False)
        parts = (
            (self.time[:23], "dim"),
            (f"{self.topic}/{self.partition}@{self.offset}", "cyan"),
            (self.type or "no CloudEvent", "bold green" if self.type else "bold red"),
            (self.key or "no key", "magenta"),
            (data, ""),
        )
        return Text("  ").join(as_text(text, style) for text, style in parts)


def _attributes(record: Record) -> tuple[str, str | None, str]:
    """The event's own time when it has one, else the record's."""
    try:
        found = Envelope.parse(record.headers)
    except MalformedEnvelope:
        return "", None, datetime.fromtimestamp(record.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    return found.type, found.id, found.time.isoformat(timespec="milliseconds")


def _text(some: bytes | None) -> str | None:
    return None if some is None else some.decode(errors="backslashreplace")


def _data(value: bytes | None) -> Any:
    try:
        return json.loads(value) if value is not None else None
    except ValueError:
        return _text(value)


@events.command()
def tail(
    topic: Annotated[
        list[str] | None, typer.Option(help="Only this topic; may be given more than once. Any topic of the cluster.")
    ] = None,
    booking: Annotated[UUID | None, typer.Option(help="Only what is told of this booking.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="First what is there already.")] = False,
    json_lines: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Leave after so many records.")] = None,
) -> None:
    """Show events as they come, until Ctrl-C."""
    broker = BrokerSettings.read()
    prefix = broker.topic_prefix
    reading = read(broker, [prefix + name for name in topic or PUBLIC_TOPICS], from_beginning=from_beginning)
    console = Console(highlight=False)
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # its troubles are our one sentence

    async def show() -> None:
        left = limit
        async with reading as records:
            async for record in records:
                if booking is None or record.key == str(booking).encode():
                    shown = Shown.of(record, prefix)
                    _print(console, shown, for_programs=json_lines)
                    left = None if left is None else left - 1
                    if left == 0:
                        return

    try:
        asyncio.run(show())
    except KeyboardInterrupt:
        raise typer.Exit from None
    except KafkaError as error:
        raise PartFailed(
            f"no broker at {broker.kafka_bootstrap} ({type(error).__name__}). Is `make up` running?"
        ) from error


def _print(console: Console, shown: Shown, *, for_programs: bool) -> None:
    if for_programs:
        print(shown.as_json(), flush=True)
    else:
        console.print(
            shown.as_line(),
            no_wrap=True,
            overflow="ellipsis",
            crop=console.is_terminal,
            soft_wrap=not console.is_terminal,
        )
