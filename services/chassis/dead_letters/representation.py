"""What the API shows of a dead letter: everything that it holds, as text where it is text, and as base64 where it is not."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.chassis.dead_letters.domain import CANARY, Missing, State, as_text
from services.chassis.dead_letters.tables import AnyRow
from services.chassis.verbatim import unpack

NEXT = {
    "canary": (
        f"The first {CANARY} were sent. The rest follows when each of them is in the inbox, "
        "and none when one of them is back in the dead letters."
    ),
    "rest": "The canary ended well: the rest is being sent.",
    "sent": "All were sent. `outcomes` says how they ended.",
    "halted": "Nothing more is sent. What is open can be redriven by another request.",
}


class BytesOut(BaseModel):
    """`data` is JSON, text or base64, as `encoding` says; null when there is nothing."""

    model_config = ConfigDict(title="Bytes")

    encoding: Literal["json", "text", "base64", "none"]
    data: Any


class HeaderOut(BytesOut):
    model_config = ConfigDict(title="Header")

    name: str


class DeadLetterOut(BaseModel):
    """`topic`, `partition`, `offset` are where the record was read first; `sent_as` is the event id that it was sent again under."""

    model_config = ConfigDict(title="DeadLetter")

    id: UUID
    consumer: str = Field(description="Whose dead letter it is: the service, and its consumer group")
    state: State
    type: str | None
    event_id: str | None
    key: BytesOut
    topic: str | None
    partition: int | None
    offset: int | None
    error_class: str
    error_message: str
    attempts: int
    first_failure_at: datetime | None
    died_at: datetime
    size_bytes: int
    missing: Missing | None = Field(
        description="Why its value is not here: too large for the topic (`x-value-omitted` has its size), or erased with its user"
    )
    predecessor_id: UUID | None = Field(description="The letter that was redriven and came back as this one")
    sent_as: str | None
    decided_at: datetime | None
    redrive_id: UUID | None


class ActionOut(BaseModel):
    """One line of the audit. `actor_id` is the subject of their token."""

    model_config = ConfigDict(title="DeadLetterAction")

    action: Literal["redrive", "edit", "discard", "reopen", "halt"]
    actor_id: UUID
    reason: str
    at: datetime
    redrive_id: UUID | None


class DeadLetterDetailOut(DeadLetterOut):
    """With headers and value, the letters of the same event before and after, and what was decided about all of them."""

    model_config = ConfigDict(title="DeadLetterDetail")

    headers: list[HeaderOut]
    value: BytesOut
    history: list[DeadLetterOut]
    actions: list[ActionOut]


class DeadLettersOut(BaseModel):
    """The newest first."""

    model_config = ConfigDict(title="DeadLetters")

    items: list[DeadLetterOut]
    next_cursor: str | None


class GroupOut(BaseModel):
    model_config = ConfigDict(title="DeadLetterGroup")

    error_class: str
    type: str | None
    consumer: str
    count: int
    oldest: datetime
    newest: datetime


class GroupsOut(BaseModel):
    """The largest first, at most a hundred."""

    model_config = ConfigDict(title="DeadLetterGroups")

    items: list[GroupOut]


class RedriveOut(BaseModel):
    """`total` letters were meant at its start; `sent` of them went out, and `outcomes` says where those are now."""

    model_config = ConfigDict(title="DeadLetterRedrive")

    id: UUID
    state: Literal["canary", "rest", "sent", "halted"]
    next: str = Field(description="What happens now")
    total: int
    sent: int
    outcomes: dict[State, int]
    filters: dict[str, Any]
    reason: str
    actor_id: UUID
    started_at: datetime
    ended_at: datetime | None


def letter(row: AnyRow, consumer: str) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in DeadLetterOut.model_fields if hasattr(row, name)}
    origin = {"topic": row.origin_topic, "partition": row.origin_partition, "offset": row.origin_offset}
    return told | origin | {"consumer": consumer, "key": text_or_base64(row.key)}


def detail(row: AnyRow, consumer: str, history: Iterable[AnyRow], actions: Iterable[AnyRow]) -> dict[str, Any]:
    return letter(row, consumer) | {
        "headers": [{"name": name, **text_or_base64(value)} for name, value in unpack(row.headers)],
        "value": as_far_as_it_can_be(row.value),
        "history": [letter(one, consumer) for one in history],
        "actions": [{name: getattr(one, name) for name in ActionOut.model_fields} for one in actions],
    }


def group(row: AnyRow, consumer: str) -> dict[str, Any]:
    error_class, type_name, count, oldest, newest = row
    named = {"error_class": error_class, "type": type_name, "consumer": consumer}
    return named | {"count": count, "oldest": oldest, "newest": newest}


def redrive(row: AnyRow, outcomes: Mapping[str, int]) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in RedriveOut.model_fields if hasattr(row, name)}
    return told | {"next": NEXT[row.state], "sent": sum(outcomes.values()), "outcomes": outcomes}


def as_far_as_it_can_be(value: bytes | None) -> dict[str, Any]:
    try:
        data = orjson.loads(value or b"")
        orjson.dumps([[[[data]]]])  # what is nested too deeply to be written again, inside the answer, is shown as text
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return text_or_base64(value)
    return {"encoding": "json", "data": data}


def text_or_base64(value: bytes | None) -> dict[str, Any]:
    if value is None:
        return {"encoding": "none", "data": None}
    if (text := as_text(value)) is not None:
        return {"encoding": "text", "data": text}
    return {"encoding": "base64", "data": base64.b64encode(value).decode()}
