"""The program: Resend's API, the outbox to look at, and the levers for tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from deploy.standins.recording import Recording
from deploy.standins.resend import admin, api, pages
from deploy.standins.resend.errors import NotFound, ResendError
from deploy.standins.resend.gate import Gate
from deploy.standins.resend.settings import Settings
from deploy.standins.resend.state import open_outbox


def create_app(settings: Settings) -> FastAPI:
    outbox = open_outbox(settings)
    app = FastAPI(title="Resend stand-in", lifespan=_lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.outbox = outbox
    app.add_middleware(Gate, settings=settings, clock=outbox.clock)
    app.add_middleware(Recording, database=outbox.database, clock=outbox.clock)  # outermost: sees refusals too
    app.add_exception_handler(ResendError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such_route)
    for router in (api.router, pages.router, admin.router):
        app.include_router(router)
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.outbox.database.close()


async def _healthz() -> dict[str, str]:
    return {"status": "pass", "notice": "stand-in: no mail leaves this machine"}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ResendError)
    if isinstance(error, NotFound) and request.url.path.startswith("/mails/"):
        return pages.not_found()
    return JSONResponse(error.body(), error.status)


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the shape of a handler
    assert isinstance(error, RequestValidationError)
    refused = api.invalid_path_or_query(str(error.errors()[0]["loc"][-1]).removeprefix("email_"))
    return JSONResponse(refused.body(), refused.status)


async def _no_such_route(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the shape of a handler
    assert isinstance(error, HTTPException)
    name = "method_not_allowed" if error.status_code == 405 else "not_found"  # noqa: PLR2004 - one place
    body = {"statusCode": error.status_code, "name": name, "message": "The requested endpoint does not exist."}
    return JSONResponse(body, error.status_code, error.headers)
