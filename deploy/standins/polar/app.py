"""The program: Polar's API, the checkout page, the levers for tests, and two loops beside them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from deploy.standins import faults_api
from deploy.standins.breaking import Breaking
from deploy.standins.polar import admin, api, endpoints_api, pages, webhooks_api
from deploy.standins.polar.errors import PolarError, validation_body
from deploy.standins.polar.faults import request_faults
from deploy.standins.polar.gate import Gate
from deploy.standins.polar.settings import Settings
from deploy.standins.polar.state import Standin, open_standin
from deploy.standins.polar.timekeeper import keep_time
from deploy.standins.polar.webhooks import register_endpoint
from deploy.standins.recording import Recording
from deploy.standins.webhooks import api as hooks_api
from deploy.standins.webhooks.courier import Courier

V1 = (api.router, webhooks_api.router, endpoints_api.router)


def create_app(settings: Settings) -> FastAPI:
    standin = open_standin(settings)
    register_endpoint(standin)
    app = FastAPI(title="Polar stand-in", lifespan=_lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.standin = standin
    app.state.courier = Courier(standin.hooks)
    app.add_middleware(Gate, access_token=settings.access_token)
    faults = request_faults(standin)
    app.add_middleware(Breaking, faults=faults)
    app.add_middleware(Recording, database=standin.database, clock=standin.clock)  # outermost: sees refusals too
    app.add_exception_handler(PolarError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    levers = (
        admin.router,
        faults_api.router(faults),
        hooks_api.router(standin.hooks),
        faults_api.router(standin.hooks.faults, "/webhook-faults", standin.hooks.let_go),
    )
    for router in (*V1, pages.router, *levers):
        app.include_router(router)
    app.add_api_route("/healthz", _healthz, methods=["GET"])
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    standin: Standin = app.state.standin
    loops = [asyncio.create_task(app.state.courier.run()), asyncio.create_task(keep_time(standin))]
    yield
    for loop in loops:
        loop.cancel()
        with suppress(asyncio.CancelledError):
            await loop
    standin.database.close()


async def _healthz() -> dict[str, str]:
    return {"status": "pass", "notice": "stand-in: no money moves"}


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, PolarError)
    if request.url.path.startswith("/checkout/"):
        return pages.refusal(request, error)
    return JSONResponse(error.body(), error.status)


async def _invalid(request: Request, error: Exception) -> Response:  # noqa: ARG001 - the shape of a handler
    assert isinstance(error, RequestValidationError)
    return JSONResponse(validation_body(error.errors()), 422)
