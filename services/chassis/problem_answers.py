"""Whatever goes wrong in a request is answered with a problem document: our own errors, the framework's, and the database's."""

from __future__ import annotations

from http import HTTPStatus

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from services.chassis.database import UNREACHABLE, NoDatabase
from services.chassis.problems import (
    MEDIA_TYPE,
    DatabaseAway,
    DatabaseBusy,
    InternalError,
    MethodNotAllowed,
    Problem,
    RequestNotValid,
    document,
)
from services.chassis.retrying import is_busy, is_database_away

log = structlog.get_logger()

METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

FRAMEWORK = {
    400: ("bad-request", "Bad request"),
    404: ("not-found", "Not found"),
    405: ("method-not-allowed", "Method not allowed"),
    413: ("body-too-large", "Body too large"),
}
"""What the framework refuses by itself. Python's own phrases change from version to version, and a code must not."""


def install(app: FastAPI) -> None:
    """Make every error of an application a problem document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    # By name, since what only `Exception` catches is raised again behind the answer.
    for failure in (SQLAlchemyError, asyncpg.PostgresError, NoDatabase, *UNREACHABLE, Exception):
        app.add_exception_handler(failure, _on_failure)


def respond(problem: Problem) -> JSONResponse:
    return JSONResponse(problem.document(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


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
        return respond(
            DatabaseAway(
                "The database does not answer. Try again, with the same Idempotency-Key: it may have done what was asked for."
            )
        )
    if is_busy(error):
        log.warning("database busy", error=type(error).__name__)
        return respond(DatabaseBusy("Others are changing the same thing. Nothing was changed; try again."))
    log.error("unexpected error", exc_info=error)
    return respond(
        InternalError("Something went wrong on our side. It has been logged; nothing about it can be said here.")
    )
