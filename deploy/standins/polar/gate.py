"""Who may call `/v1`: a known version of the API, then the right token. Both are looked at before the body is."""

import secrets

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.standins.polar.errors import InvalidToken, Unauthorized
from deploy.standins.polar.webhooks import API_VERSION

KNOWN_VERSIONS = frozenset({API_VERSION})


class Gate:
    def __init__(self, app: ASGIApp, access_token: str) -> None:
        self._app = app
        self._access_token = access_token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v1/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        version = headers.get("polar-version", API_VERSION)

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Polar-Version"] = version
            await send(message)

        refusal = self._refusal(version, headers.get("authorization", ""))
        await (refusal or self._app)(scope, receive, send_with_version)

    def _refusal(self, version: str, authorization: str) -> JSONResponse | None:
        if version not in KNOWN_VERSIONS:
            return JSONResponse({"detail": "Not Found"}, 404)
        scheme, _, token = authorization.partition(" ")
        if scheme.casefold() != "bearer" or not token:
            return JSONResponse(Unauthorized().body(), 401, {"WWW-Authenticate": "Bearer"})
        if not secrets.compare_digest(token.encode(), self._access_token):
            return JSONResponse(InvalidToken().body(), 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return None
