"""Below HTTP: a server whose requests know their connection, so that a stand-in can break it as networks do."""

import asyncio
import os
import socket
import struct
from collections.abc import MutableMapping
from typing import Any, cast

from uvicorn._types import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CONNECTION = "courtside.connection"


class Wire(HttpToolsProtocol):
    """uvicorn's own protocol; each request's scope says on which transport it came."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it itself
        super().connection_made(transport)
        self.app = _with_connection(self.app, transport)


def _with_connection(app: ASGI3Application, transport: asyncio.Transport) -> ASGI3Application:
    async def connected(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        cast("MutableMapping[str, Any]", scope)[CONNECTION] = transport
        await app(scope, receive, send)

    return connected


def reset(scope: MutableMapping[str, Any]) -> None:
    """The connection ends with RST, as when the other machine dies: what was not read yet is lost."""
    transport: asyncio.Transport = scope[CONNECTION]
    # On a duplicate: uvloop's socket object sets no options, and options belong to the connection.
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
