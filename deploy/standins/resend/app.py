"""The program: Resend's API, the outbox to look at, and the levers for tests."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from deploy.standins import faults_api
from deploy.standins.breaking import Breaking
from deploy.standins.recording import Recording
from deploy.standins.resend import admin, api, life, pages
from deploy.standins.resend.errors import NotFound, ResendError
from deploy.standins.resend.faults import request_faults
from deploy.standins.resend.gate import Gate
from deploy.standins.resend.settings import Settings
from deploy.standins.resend.state import Outbox, open_outbox
from deploy.standins.webhooks import api as hooks_api
from deploy.standins.webhooks.courier import Courier

LOOK_EVERY_S = 0.5

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    outbox = open_outbox(settings)
    app = FastAPI(title="Resend stand-in", lifespan=_lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.outbox = outbox
    app.state.courier = Courier(outbox.hooks)
    faults = request_faults(outbox)
    app.add_middleware(Gate, outbox=outbox)
    app.add_middleware(Breaking, faults=faults)
    app.add_middleware(Recording, database=outbox.database, clock=outbox.clock)  # outermost: sees refusals too
    app.add_exception_handler(ResendError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _no_such_route)
    levers = (
        admin.router,
        faults_api.router(faults),
        hooks_api.router(outbox.hooks),
        faults_api.router(outbox.hooks.faults, "/webhook-faults", outbox.hooks.let_go),
    )
    for router in (api.router, pages.router, *levers):
        app.include_router(router)
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    outbox: Outbox = app.state.outbox
    loops = [asyncio.create_task(app.state.courier.run()), asyncio.create_task(_keep_time(outbox))]
    yield
    for loop in loops:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
    outbox.database.close()


async def _keep_time(outbox: Outbox) -> None:
    while True:
        try:
            life.catch_up(outbox)
        except Exception:
            log.exception("what fell due could not be done")
        await asyncio.sleep(LOOK_EVERY_S)


async def _healthz() -> dict[str, str]:
    return {"status": "pass", "notice": "stand-in: no mail leaves this machine"}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ResendError)
    if isinstance(error, NotFound) and request.url.path.startswith("/mails/"):
        return pages.not_found()
    return JSONResponse(error.body(), error.status, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the shape of a handler
    assert isinstance(error, RequestValidationError)
    refused = api.invalid_path_or_query(str(error.errors()[0]["loc"][-1]).removeprefix("email_"))
    return JSONResponse(refused.body(), refused.status)


async def _no_such_route(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the shape of a handler
    assert isinstance(error, HTTPException)
    name = "method_not_allowed" if error.status_code == 405 else "not_found"  # noqa: PLR2004 - one place
    body = {"statusCode": error.status_code, "name": name, "message": "The requested endpoint does not exist."}
    return JSONResponse(body, error.status_code, error.headers)
