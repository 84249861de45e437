"""uvicorn inside a process that has more to do than HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from services.chassis.http import App
from services.chassis.settings import Settings

KEEP_ALIVE_SECONDS = 75
"""Longer than a gateway keeps an idle connection (nginx: 60 s): the other end closes it, and no request meets a connection that is
being closed here. A POST that does cannot be sent again by anyone who does not know whether it was done."""


class PortTaken(Exception):
    """Another program serves there, or the address is not ours."""


def listen(settings: Settings) -> socket.socket:
    """Before anything else starts: a port that is taken is one sentence, not a failure in the middle."""
    address = (settings.http_host, settings.http_port)
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in settings.http_host else socket.AF_INET)
    except OSError as error:
        prefix = settings.model_config["env_prefix"]
        raise PortTaken(
            f"cannot listen on {address[0]}:{address[1]} ({error.strerror}); set {prefix}HTTP_PORT"
        ) from error


async def serve(app: App, listener: socket.socket, settings: Settings, stopping: asyncio.Event) -> None:
    """Until told to stop; then what is under way is answered, and nothing new is taken."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_graceful_shutdown=int(settings.drain_seconds),
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    told = asyncio.create_task(stopping.wait())
    await asyncio.wait([serving, told], return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    server.should_exit = True
    await serving


class _Server(uvicorn.Server):
    """Signals are the process's business: it drains its consumers too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
