"""Polar, as this service calls it: one pooled client, a deadline on every call, and one place that says what a failure means.

The SDK retries nothing and Polar knows no idempotency key, so after a failed call the question is: was it done?

    what was raised                            outcome          what becomes of the record
    ─────────────────────────────────────────  ───────────────  ──────────────────────────────────────────
    no connection was made                     definitely not   Transient
    read or write failed, deadline, 5xx        unknown          Transient: look up before doing it again
    429, whatever its Retry-After looks like   definitely not   Transient, not before that time
    409                                        definitely not   Transient: another request holds the object
    other 4xx                                  definitely not   Fatal
    RefundedAlready                            done             Fatal unless the caller asks for the outcome
    an answer that is not JSON                 unknown          Transient
    JSON that the SDK does not know            unknown          Transient after a write, Fatal after a read

The last row has lost its status: it may be a refusal in an unusual form, or the 201 of a checkout that exists.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Self

import httpx
from polar import PolarClientError, PolarDeserializationError, PolarError, PolarNetworkError, PolarServerError
from polar.base import PolarRateLimitError
from polar.v2026_10 import PolarAsync
from polar.v2026_10.errors import HTTPValidationError, RefundedAlready

from services.chassis.breaker import Breaker
from services.chassis.retrying import Failure, Fatal, Transient
from services.payments.settings import PaymentsSettings

TIMEOUT = httpx.Timeout(10, connect=2)
"""Seconds, for each phase of a call: Polar's slowest answers take a few, and a connection either comes at once or not at all."""
DEADLINE_SECONDS = 12
"""For the whole call: bytes that drip in never break the time-out of one read. Two calls fit into the drain of a batch."""
UNSAID_RETRY_AFTER = timedelta(minutes=1)
"""Polar counts requests per minute."""
CONFLICT = 409

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


@dataclass(frozen=True)
class Polar:
    """Polar's API and what we sell there: one product, each time at the price of the booking."""

    client: PolarAsync
    product_id: str
    success_url: str
    breaker: Breaker = field(default_factory=lambda: Breaker("polar"))

    @classmethod
    def connect(cls, settings: PaymentsSettings) -> Self:
        """Opens no connection yet; the pool belongs to the process."""
        token = settings.polar_access_token.get_secret_value()
        client = PolarAsync(token, base_url=settings.polar_base_url, timeout=TIMEOUT)
        return cls(client, str(settings.polar_product_id), settings.success_url)

    async def close(self) -> None:
        await self.client.__aexit__(None, None, None)

    def reading(self) -> AbstractAsyncContextManager[None]:
        """Around one call that changes nothing. Raises `Transient` or `Fatal`."""
        return self._calling(writes=False)

    def writing(self) -> AbstractAsyncContextManager[None]:
        """Around one call that may change something: what failed with an unknown outcome is looked up before it is repeated."""
        return self._calling(writes=True)

    @asynccontextmanager
    async def _calling(self, *, writes: bool) -> AsyncIterator[None]:
        with self.breaker.calling():
            try:
                async with asyncio.timeout(DEADLINE_SECONDS):
                    yield
            except (PolarError, ValueError, TimeoutError) as error:
                raise classify(error, writes=writes).failure from None  # the body of an answer belongs in no log


class Outcome(Enum):
    """What is known, after a call failed, of its effect at Polar."""

    DONE = "done"
    DEFINITELY_NOT = "definitely not"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Verdict:
    outcome: Outcome
    failure: Failure


def classify(error: Exception, *, writes: bool) -> Verdict:  # noqa: PLR0911 - one for each row of the table
    """Pure. The table at the top of this file, row by row; every call ends here when it fails."""
    match error:
        case PolarNetworkError(__cause__=cause) if isinstance(cause, _NEVER_SENT):
            return _not_done(Transient("Polar cannot be reached"))
        case PolarNetworkError() | TimeoutError():
            return _unknown(Transient(f"Polar did not answer: {type(error.__cause__ or error).__name__}"))
        case PolarServerError():
            return _unknown(Transient(f"Polar answered {error.status_code}"))
        case RefundedAlready():
            return Verdict(Outcome.DONE, Fatal("Polar has refunded this already"))
        case PolarRateLimitError():
            return _not_done(_rate_limited(error.retry_after))
        case PolarClientError(status_code=status) if status == CONFLICT:
            return _not_done(Transient("Polar is busy with this very object"))
        case PolarClientError():
            return _not_done(Fatal(f"Polar refused: {_reason(error)}"))
        case json.JSONDecodeError() | UnicodeDecodeError():
            return _unknown(Transient("Polar's answer is not JSON"))
        case ValueError():  # how the SDK fails at a Retry-After that is a date
            return _not_done(_rate_limited(None))
        case _:
            return _unknown(_not_understood(error, writes=writes))


def _not_done(failure: Failure) -> Verdict:
    return Verdict(Outcome.DEFINITELY_NOT, failure)


def _unknown(failure: Failure) -> Verdict:
    return Verdict(Outcome.UNKNOWN, failure)


def _rate_limited(retry_after_seconds: int | None) -> Transient:
    wait = UNSAID_RETRY_AFTER if retry_after_seconds is None else timedelta(seconds=retry_after_seconds)
    return Transient("Polar allows no more requests for now", retry_after=wait)


def _not_understood(error: Exception, *, writes: bool) -> Failure:
    kind = type(error.error).__name__ if isinstance(error, PolarDeserializationError) else type(error).__name__
    reason = f"Polar's answer is not what its SDK knows: {kind}"
    return Transient(reason) if writes else Fatal(reason)


def _reason(error: PolarClientError) -> str:
    """Where and what, never the input: that may be a player's address."""
    if isinstance(error, HTTPValidationError) and isinstance(error.error.detail, list):
        places = (f"{'.'.join(map(str, found.loc))}: {found.type}" for found in error.error.detail[:5])
        return f"{error.status_code} {'; '.join(places)}"
    return f"{error.status_code} {type(error).__name__}"
