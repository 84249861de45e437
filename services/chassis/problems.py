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
from http import HTTPStatus
from typing import Any, ClassVar

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from services.chassis.database import NoDatabase
from services.chassis.retrying import is_busy, is_database_away

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
SCHEMA_REFERENCE = "#/components/schemas/Problem"


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


METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

FRAMEWORK = {
    400: ("bad-request", "Bad request"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("body-too-large", "Body too large"),
}
"""What the framework refuses by itself. Python's own phrases change from version to version, and a code must not."""


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


def responses(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """What a route documents: `responses=problems.responses(SlotAlreadyTaken, …)`. The schema of each status lists its codes."""
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


def respond(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.document(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    # By name, since what only `Exception` catches is raised again behind the answer.
    for failure in (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, NoDatabase, OSError, Exception):
        app.add_exception_handler(failure, _on_failure)


async def _on_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return respond(error)


async def _on_invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [{**_place(found["loc"]), "detail": found["msg"], "code": found["type"]} for found in error.errors()]
    return respond(RequestNotValid("The request is not what this operation takes.", errors=errors))


def _place(location: tuple[str | int, ...]) -> dict[str, str]:
    """A JSON Pointer into the body, or the name of a parameter, as in RFC 9457's own example."""
    where, *path = location
    if where == "body":
        return {"pointer": "#/" + "/".join(str(step) for step in path if not _is_offset(step, path))}
    return {"parameter": ".".join(map(str, path)) or str(where)}


def _is_offset(step: str | int, path: list[str | int]) -> bool:
    """A body that is not JSON at all is reported at a byte offset, which is no path."""
    return isinstance(step, int) and len(path) == 1


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    headers = {"Allow": _allowed(request)} if error.status_code == MethodNotAllowed.status else error.headers
    code, title = FRAMEWORK.get(error.status_code, ("http-error", HTTPStatus(error.status_code).phrase))
    body = document(error.status_code, code, title, str(error.detail))
    return JSONResponse(body, error.status_code, headers=headers, media_type=MEDIA_TYPE)


def _allowed(request: Request) -> str:
    """The methods of all routes on this path; the framework would name those of the first."""
    fitting = (
        method
        for method in METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in request.app.routes)
    )
    return ", ".join(fitting)


async def _on_failure(_: Request, error: Exception) -> JSONResponse:
    if is_database_away(error) or isinstance(error, OSError):
        log.warning("database away", error=type(error).__name__)
        return respond(DatabaseAway("The database does not answer. Nothing was changed; try again."))
    if is_busy(error):
        log.warning("database busy", error=type(error).__name__)
        return respond(DatabaseBusy("Others are changing the same thing. Nothing was changed; try again."))
    log.error("unexpected error", exc_info=error)
    return respond(
        InternalError("Something went wrong on our side. It has been logged; nothing about it can be said here.")
    )


class DatabaseAway(Unavailable):
    """The database does not answer. Nothing was changed."""


class DatabaseBusy(Unavailable):
    """Others are changing the same thing; nothing was changed, and the same request will do."""


class InternalError(Problem):
    """A fault of ours. It has been logged under the request's id."""

    status = 500


class BodyTooLarge(Problem):
    """A body has at most 64 KiB, unless the operation says otherwise."""

    status = 413
