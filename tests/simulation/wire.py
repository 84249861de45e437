"""The way to a provider in memory: the official SDK's own HTTP client on one end, the provider on the other, and what may go wrong between.

A call may be held up at either end for as long as the run likes; one that took longer than its deadline has timed out, done or not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Literal

import httpx

from tests.simulation.pinning import SimulatedClock
from tests.simulation.turns import checkpoint

Fate = Literal["no connection", "answer lost", "broken before", "broken after", "too many"]
FATES: tuple[Fate, ...] = ("no connection", "answer lost", "broken before", "broken after", "too many")
DEADLINE_SECONDS = 10.0
WHIM = 0.12


@dataclass
class Wire(httpx.AsyncBaseTransport):
    provider: str
    app: httpx.AsyncBaseTransport
    clock: SimulatedClock
    fates: list[Fate] = field(default_factory=list)
    """Of the next calls, in turn."""
    whims: Random | None = None
    """While there are any, one call in eight comes to grief."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        began = self.clock.at
        what = f"{self.provider} {request.method} {request.url.path.rsplit('/', 1)[0] or request.url.path}"
        await checkpoint(f"call {what}")
        fate = self._fate()
        if fate == "no connection":
            raise httpx.ConnectError("refused", request=request)
        self._must_be_in_time(began, request)
        if fate in ("broken before", "too many"):
            return self._refusal(fate, request)
        answer = await self.app.handle_async_request(request)
        await answer.aread()
        await checkpoint(f"answer {what}")
        self._must_be_in_time(began, request)
        if fate == "answer lost":
            raise httpx.ReadError("reset by peer", request=request)
        return self._refusal(fate, request) if fate == "broken after" else answer

    def calm(self) -> None:
        self.fates.clear()
        self.whims = None

    def _fate(self) -> Fate | None:
        if self.fates:
            return self.fates.pop(0)
        return self.whims.choice(FATES) if self.whims and self.whims.random() < WHIM else None

    def _must_be_in_time(self, began: datetime, request: httpx.Request) -> None:
        if (self.clock.at - began).total_seconds() > DEADLINE_SECONDS:
            raise httpx.ReadTimeout("it took too long", request=request)

    def _refusal(self, fate: Fate, request: httpx.Request) -> httpx.Response:
        if fate == "too many":
            body = {"name": "rate_limit_exceeded", "message": "Too many requests", "statusCode": 429}
            return httpx.Response(429, json=body, headers={"Retry-After": "2"}, request=request)
        return httpx.Response(502, json={"detail": "Bad Gateway"}, request=request)
