"""Where faults strike: in front of the stand-in's gate, as proxies and networks do."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.standins.faults import Faults
from deploy.standins.line import Line
from deploy.standins.recording import FAULT, UNRECORDED
from deploy.standins.request_faults import RequestFault


class Breaking:
    """ASGI middleware, inside of `Recording`, which notes the fault beside the request."""

    def __init__(self, app: ASGIApp, faults: Faults[RequestFault]) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNRECORDED):
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        text = f"{scope['query_string'].decode('latin-1')}\n{body.decode(errors='replace')}"
        strike = self._faults.next(lambda each: each.match.fits(scope["method"], scope["path"], text))
        if strike is None:
            await self._app(scope, _replaying(body, receive), send)
            return
        scope[FAULT] = strike.fault.action
        await strike.fault.strike(Line(self._app, scope, _replaying(body, receive), send))


async def _whole(receive: Receive) -> bytes:
    body, more = bytearray(), True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    """Gives the body once more, then what comes after it: that the caller has gone."""
    read = False

    async def replayed() -> Message:
        nonlocal read
        if read:
            return await receive()
        read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
