"""The faults of requests: each is a class, with what it needs to be told and what it does to the line.

`accept_...` means: the stand-in does what it was asked for, and the caller does not learn of it.
"""

import asyncio
from abc import abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from deploy.standins.faults import Occasion
from deploy.standins.line import Answer, Line, answer

UNHEARD_OF = "unheard_of"
GARBAGE = b"\x89\xff\x00 this is neither UTF-8 nor JSON \xfe"
PROXY_PAGE = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

Seconds = Annotated[float, Field(ge=0)]


class Match(BaseModel):
    """Which requests: `*` and `?` as in a shell, `contains` is looked for in the query and the body."""

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    path: str = "*"
    contains: str = ""

    def fits(self, method: str, path: str, text: str) -> bool:
        return fnmatchcase(method, self.method) and fnmatchcase(path, self.path) and self.contains in text


class RequestFault(Occasion):
    match: Match = Match()
    action: str

    @abstractmethod
    async def strike(self, line: Line) -> None:
        """What the client gets, and whether the request was carried out before."""


class ResetBefore(RequestFault):
    """RST; nothing was done."""

    action: Literal["reset_before"]

    async def strike(self, line: Line) -> None:
        await line.reset()


class AcceptThenReset(RequestFault):
    """Done, and RST in the place of the answer."""

    action: Literal["accept_then_reset"]

    async def strike(self, line: Line) -> None:
        await line.accept()
        await line.reset()


class AcceptThenBreakOff(RequestFault):
    """Done, half of the answer, RST."""

    action: Literal["accept_then_break_off"]

    async def strike(self, line: Line) -> None:
        await line.break_off(await line.accept())


class TimeoutBefore(RequestFault):
    """Nothing done and never answered: the caller's patience ends it, or ours."""

    action: Literal["timeout_before"]
    at_most_s: Seconds = 300.0

    async def strike(self, line: Line) -> None:
        await line.silence(self.at_most_s)


class AcceptThenTimeout(RequestFault):
    """Done and never answered."""

    action: Literal["accept_then_timeout"]
    at_most_s: Seconds = 300.0

    async def strike(self, line: Line) -> None:
        await line.accept()
        await line.silence(self.at_most_s)


class Delay(RequestFault):
    """Answered rightly, late."""

    action: Literal["delay"]
    delay_ms: Annotated[int, Field(ge=0)]

    async def strike(self, line: Line) -> None:
        await asyncio.sleep(self.delay_ms / 1000)
        await line.pass_on()


class GivenStatus(RequestFault):
    """A body that is text is sent as a page, everything else as JSON."""

    code: Annotated[int, Field(ge=200, le=599)]
    body: Any = Field(default_factory=lambda: {"error": "Struck", "detail": "A fault that a test has asked for."})
    headers: dict[str, str] = Field(default_factory=dict)
    retry_after_s: Annotated[int, Field(ge=0)] | None = None
    retry_after_as: Literal["seconds", "date"] = "seconds"

    def answered(self) -> Answer:
        headers = dict(self.headers)
        if self.retry_after_s is not None:
            until = datetime.now(UTC) + timedelta(seconds=self.retry_after_s)
            as_date = format_datetime(until, usegmt=True)
            headers["retry-after"] = as_date if self.retry_after_as == "date" else str(self.retry_after_s)
        return answer(self.code, self.body, headers)


class Status(GivenStatus):
    """Nothing done; this status."""

    action: Literal["status"]

    async def strike(self, line: Line) -> None:
        await line.answer(self.answered())


class AcceptThenStatus(GivenStatus):
    """Done, and this status all the same: the outcome of a 5xx is unknown."""

    action: Literal["accept_then_status"]

    async def strike(self, line: Line) -> None:
        await line.accept()
        await line.answer(self.answered())


class BadGateway(RequestFault):
    """Nothing done; the page of a proxy, as HTML."""

    action: Literal["html_502"]

    async def strike(self, line: Line) -> None:
        await line.answer(answer(502, PROXY_PAGE))


class BadJson(RequestFault):
    """Done; the answer says that it is JSON and ends in the middle."""

    action: Literal["bad_json"]

    async def strike(self, line: Line) -> None:
        answered = await line.accept()
        await line.answer(answered.with_body(answered.body[: len(answered.body) // 2]))


class Garbage(RequestFault):
    """Done; the answer's bytes mean nothing."""

    action: Literal["garbage"]

    async def strike(self, line: Line) -> None:
        await line.answer((await line.accept()).with_body(GARBAGE))


class UnknownEnum(RequestFault):
    """Done; this field has a value that no SDK knows, in the resource or in each of a list."""

    action: Literal["unknown_enum"]
    field: str = "status"

    async def strike(self, line: Line) -> None:
        answered = await line.accept()
        await line.answer(answered.with_document(_changed(answered.document, {self.field: UNHEARD_OF})))


class MissingField(RequestFault):
    """Done; this field is not there, in the resource or in each of a list."""

    action: Literal["missing_field"]
    field: str

    async def strike(self, line: Line) -> None:
        answered = await line.accept()
        await line.answer(answered.with_document(_without(answered.document, self.field)))


class Drip(RequestFault):
    """Done; the answer comes in pieces, each later than the one before."""

    action: Literal["drip"]
    pieces: Annotated[int, Field(gt=0)] = 20
    delay_ms: Annotated[int, Field(ge=0)] = 500

    async def strike(self, line: Line) -> None:
        await line.drip(await line.accept(), self.pieces, self.delay_ms / 1000)


AnyRequestFault = (
    ResetBefore
    | AcceptThenReset
    | AcceptThenBreakOff
    | TimeoutBefore
    | AcceptThenTimeout
    | Delay
    | Status
    | AcceptThenStatus
    | BadGateway
    | BadJson
    | Garbage
    | UnknownEnum
    | MissingField
    | Drip
)


def _changed(document: Any, changes: dict[str, Any]) -> Any:
    return _in_each(document, lambda resource: {**resource, **changes})


def _without(document: Any, field: str) -> Any:
    return _in_each(document, lambda resource: {name: resource[name] for name in resource if name != field})


def _in_each(document: Any, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """The resource itself, or each of a page: an order, too, has `items`, but no `pagination`."""
    if "pagination" in document:
        return {**document, "items": [change(item) for item in document["items"]]}
    return change(document)
