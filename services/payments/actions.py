"""Polar, as this service calls it: one pooled client, a deadline on every call, and one meaning for each failure (`failures`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import orjson
from polar import PolarError
from polar.v2026_10 import PolarAsync

from services.chassis.breaker import Breaker
from services.payments.failures import classify
from services.payments.settings import PaymentsSettings

CONNECT_SECONDS = 2.0
"""A connection comes at once or not at all; what it then takes to answer is the setting `polar_timeout_seconds`."""
PAGE = 100
"""The most that Polar lists at once."""

_answer: ContextVar[httpx.Response | None] = ContextVar("polar_answer", default=None)
"""Of the call that is being made in this task: the SDK's exceptions have lost its status and headers."""


@dataclass(frozen=True)
class Polar:
    """Polar's API and what we sell there: one product, each time at the price of the booking."""

    client: PolarAsync
    product_id: str
    success_url: str
    deadline_seconds: float = 12.0
    """For a whole call: bytes that drip in never break the time-out of one read. Two calls fit into the drain of a batch."""
    breaker: Breaker = field(default_factory=lambda: Breaker("polar"))

    @classmethod
    def connect(cls, settings: PaymentsSettings) -> Self:
        """Opens no connection yet; the pool belongs to the process."""
        timeout = httpx.Timeout(settings.polar_timeout_seconds, connect=CONNECT_SECONDS)
        token = settings.polar_access_token.get_secret_value()
        client = PolarAsync(token, base_url=settings.polar_base_url, timeout=timeout)
        # The SDK offers no hook of its own, and an answer that it cannot read has its status nowhere else.
        client.checkouts.client._client.event_hooks["response"].append(_remember)  # noqa: SLF001
        deadline_seconds = settings.polar_timeout_seconds + CONNECT_SECONDS
        return cls(client, str(settings.polar_product_id), settings.success_url, deadline_seconds)

    async def close(self) -> None:
        await self.client.__aexit__(None, None, None)

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Around one call that changes nothing. Raises what `failures` says."""
        return self._calling(writes=False)

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Around one call that may change something: what failed with an unknown outcome is looked up before it is repeated."""
        return self._calling(writes=True)

    def body(self) -> Any:
        """Of the last answer in this task, as JSON: where the SDK cannot read it. Raises `ValueError` when it is none."""
        answer = _answer.get()
        return orjson.loads(answer.content if answer else b"")

    @asynccontextmanager
    async def _calling(self, *, writes: bool) -> AsyncIterator[None]:
        _answer.set(None)
        with self.breaker.calling():
            try:
                async with asyncio.timeout(self.deadline_seconds):
                    yield
            except (PolarError, ValueError, TimeoutError) as error:
                # Without its cause: the body of an answer belongs in no log.
                raise classify(error, _answer.get(), datetime.now(UTC), writes=writes) from None


async def _remember(response: httpx.Response) -> None:
    _answer.set(response)
