"""What stands before several processes of a service: each request goes to one of those that take requests now."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from deploy.local.environment import HOST

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
OF_ONE_CONNECTION = ("connection", "content-length", "content-encoding", "transfer-encoding", "date", "server")


@dataclass
class Balancer:
    """As a Service of Kubernetes and its endpoints. It repeats nothing: what one process fails to answer has failed."""

    client: httpx.AsyncClient
    backends: list[str] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    """By status."""
    _turn: int = 0

    async def forward(self, request: Request) -> Response:
        self._turn += 1
        backend = self.backends[self._turn % len(self.backends)]
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        headers = [(name, value) for name, value in request.headers.items() if name != "host"]
        answer = await self.client.request(
            request.method, backend + path, content=await request.body(), headers=headers
        )
        self.answers[answer.status_code] += 1
        kept = {name: value for name, value in answer.headers.items() if name not in OF_ONE_CONNECTION}
        return Response(answer.content, answer.status_code, kept)


@asynccontextmanager
async def balancing(port: int) -> AsyncIterator[Balancer]:
    """A connection for each request: one that is kept may be closed by a process that stops, in the middle of the next."""
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=30, trust_env=False, follow_redirects=False, limits=limits) as client:
        balancer = Balancer(client)
        app = Starlette(routes=[Route("/{path:path}", balancer.forward, methods=METHODS)])
        server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=port, log_config=None, access_log=False))
        serving = asyncio.create_task(server._serve())
        try:
            yield balancer
        finally:
            server.should_exit = True
            await serving
