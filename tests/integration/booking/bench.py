"""The service under a test that is not asynchronous: its API in this process, its clock set by hand, anybody's word for who they are."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import asyncpg
import httpx

from deploy.tokens import user_id
from services.chassis.auth import Principal
from services.chassis.clock import DatabaseClock
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.booking.in_process import Office

T = TypeVar("T")


class SetClock(DatabaseClock):
    """Shows the time that it was set to."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time


class TrustingVerifier:
    """A token is `player:ana`: signatures have their own tests."""

    async def verify(self, token: str) -> Principal:
        role, name = token.split(":")
        email = f"{name}@example.com"
        return Principal.model_validate({"sub": user_id(email), "email": email, "name": name, "role": role})


@dataclass
class Bench:
    """The service, its database and its clock, on one event loop that outlives the examples."""

    loop: asyncio.AbstractEventLoop
    office: Office
    client: httpx.AsyncClient
    connection: asyncpg.Connection[Any]
    clock: SetClock

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def post(self, path: str, who: str, **body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {who}"}
        return self.run(self.client.post(path, json=body, headers=headers))

    def change(self, mutation: Callable[[UnitOfWork], Awaitable[object]]) -> None:
        self.run(self._change(mutation))

    async def _change(self, mutation: Callable[[UnitOfWork], Awaitable[object]]) -> None:
        async with self.office.chassis.unit_of_work() as work:
            await mutation(work)


async def open_bench(stack: AsyncExitStack, url: str) -> Bench:
    clock = SetClock()
    office = await stack.enter_async_context(Office.open(url, clock=clock))
    transport = httpx.ASGITransport(office.app(verifier=TrustingVerifier()))
    client = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://club"))
    connection = await asyncpg.connect(url)
    stack.push_async_callback(connection.close)
    return Bench(asyncio.get_running_loop(), office, client, connection, clock)
