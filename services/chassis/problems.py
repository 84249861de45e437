"""Errors over HTTP, as RFC 9457 problem documents.

    Problem
    ├── BadRequest 400          ├── Conflict 409
    ├── Unauthorized 401        ├── PreconditionFailed 412
    ├── Forbidden 403           ├── Invalid 422
    ├── NotFound 404            ├── Unavailable 503
    └── MethodNotAllowed 405    └── TooManyRequests 429

A service's errors are subclasses, named as sentences. A problem never carries the text of an exception that is not one.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

MEDIA_TYPE = "application/problem+json"
SCHEMA_REFERENCE = "#/components/schemas/Problem"

Responses = dict[int | str, dict[str, Any]]
"""What a route documents, by status, as FastAPI takes it."""


class Problem(Exception):
    """`code` is stable and for programs, `detail` is for people; `extras` are members of the document that help to go on."""

    status: ClassVar[int] = 500
    code: ClassVar[str]
    title: ClassVar[str]

    def __init_subclass__(cls) -> None:
        words = re.findall(r"[A-Z][a-z0-9]*", cls.__name__)
        cls.code = "-".join(words).lower()
        cls.title = " ".join(words).capitalize()

    def __init__(self, detail: str, *, headers: dict[str, str] | None = None, **extras: Any) -> None:
        super().__init__(detail)
        self.detail, self.headers, self.extras = detail, headers, extras

    @classmethod
    def meaning(cls) -> str:
        """The class's own docstring: what `/problems/{code}` and the OpenAPI document say."""
        return " ".join((cls.__dict__.get("__doc__") or f"{cls.title}.").split())

    def document(self) -> dict[str, Any]:
        return document(self.status, self.code, self.title, self.detail, **self.extras)


class BadRequest(Problem):
    status = 400


class Unauthorized(Problem):
    status = 401


class Forbidden(Problem):
    status = 403


class NotFound(Problem):
    status = 404


class MethodNotAllowed(Problem):
    """The path exists, but not with this method; `Allow` lists those that do."""

    status = 405


class Conflict(Problem):
    status = 409


class PreconditionFailed(Problem):
    status = 412


class Invalid(Problem):
    status = 422


class TooManyRequests(Problem):
    """More requests than the limit allows; `Retry-After` says in how many seconds the next one is."""

    status = 429


class Unavailable(Problem):
    """Something that this service needs is away; the same request will do later."""

    status = 503

    def __init__(self, detail: str, *, retry_after_seconds: int = 2, **extras: Any) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_seconds)}, **extras)


class RequestNotValid(Invalid):
    """The body, a parameter or a header is not what the API describes; `errors` points at each place."""


class DatabaseAway(Unavailable):
    """The database does not answer. Try again, with the same `Idempotency-Key`: it may have done what was asked for."""


class DatabaseBusy(Unavailable):
    """Others are changing the same thing; nothing was changed, and the same request will do."""


class InternalError(Problem):
    """A fault of ours. It has been logged under the request's id."""

    status = 500


class BodyTooLarge(Problem):
    """A body has at most 64 KiB, unless the operation says otherwise."""

    status = 413


def document(status: int, code: str, title: str, detail: str, **extras: Any) -> dict[str, Any]:
    return {"type": f"/problems/{code}", "title": title, "status": status, "detail": detail, "code": code, **extras}


def registry() -> dict[str, type[Problem]]:
    """Every problem that the loaded code can answer with, by code."""
    found: dict[str, type[Problem]] = {}
    waiting = [Problem]
    while waiting:
        kinds = waiting.pop().__subclasses__()
        found |= {kind.code: kind for kind in kinds}
        waiting += kinds
    return found


def responses(*kinds: type[Problem]) -> Responses:
    """What a route documents: `responses=problems.responses(SlotAlreadyTaken, …)`. The schema of each status lists its codes.

    Of one status a route's own replace those of its router: name these again.
    """
    statuses = sorted({kind.status for kind in kinds})
    return {status: _response([kind for kind in kinds if kind.status == status]) for status in statuses}


def _response(kinds: list[type[Problem]]) -> dict[str, Any]:
    codes = {"properties": {"code": {"enum": sorted(kind.code for kind in kinds)}}}
    examples = {
        kind.code: {"summary": kind.meaning(), "value": document(kind.status, kind.code, kind.title, kind.meaning())}
        for kind in kinds
    }
    content = {"schema": {"allOf": [{"$ref": SCHEMA_REFERENCE}, codes]}, "examples": examples}
    return {"description": ", ".join(f"`{code}`" for code in examples), "content": {MEDIA_TYPE: content}}
