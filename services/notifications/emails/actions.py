"""The mail provider: one protocol, and Resend behind it, over its official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Protocol, cast

import httpx
import resend
import structlog
from pydantic import SecretStr
from resend.exceptions import ResendError
from resend.http_client_async import AsyncHTTPClient

from services.chassis.breaker import Breaker
from services.chassis.consuming import LANES
from services.chassis.retrying import Failure, Fatal, NotTried, Transient

log = structlog.get_logger()

CALL_SECONDS = 10.0
"""One call, from the first byte to the last: Resend answers in well under a second, or not at all."""
CONNECT_SECONDS = 3.0
STILL_RUNNING = timedelta(seconds=2)
"""Until that is asked again."""
RATE_LIMITED = timedelta(seconds=1)
"""When a 429 does not say for how long: the limit is one of requests per second."""
QUOTA_USED_UP = timedelta(hours=1)
"""When it does not say until when: quotas are of days and months, and one question an hour costs nothing."""
LONGEST_SAID_SECONDS = 86_400
"""What is further off than a day is asked for again."""


NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class AccountRefused(NotTried):
    """No mail can go out: is the API key valid, and the sender's domain verified?"""


class NotTaken(Transient):
    """The call never reached Resend: nothing went out."""


class StillRunning(Transient):
    """An earlier request under this key has not ended at Resend, which is well: only the end of that one is not known yet."""


class OtherMailUnderKey(Fatal):
    """Our bug: another mail went out under this key, so this one must not be repeated."""


@dataclass(frozen=True, slots=True)
class Taken:
    """`pause` is for how long the provider wants no further request: its limit is reached with this one."""

    provider_id: str
    pause: timedelta | None = None


class MailProvider(Protocol):
    @property
    def name(self) -> str: ...

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken:
        """The provider's id of the mail is the same one however often this mail is sent.

        Raises `NotTried` or `NotTaken` when it surely was not taken, `Transient` when that is unknown, and `Fatal` when it never will be.
        """
        ...


class Resend:
    name = "resend"

    def __init__(self, base_url: str, api_key: SecretStr, call_seconds: float = CALL_SECONDS) -> None:
        """The SDK's settings are globals of its module, so a process has one of these."""
        resend.api_url, resend.api_key = base_url.rstrip("/"), api_key.get_secret_value()
        self.breaker, self._call_seconds = Breaker(self.name), call_seconds
        self._before, self._http = resend.default_async_http_client, PooledClient(call_seconds)
        resend.default_async_http_client = self._http

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken:
        with self.breaker.calling():
            answer = await self._send(payload, idempotency_key)
        if isinstance(answer, Taken):
            return answer
        raise answer

    async def _send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken | NotTried | StillRunning:
        """That it asks for patience is an answer too: to the breaker it is no failure."""
        try:
            async with asyncio.timeout(self._call_seconds):
                answer = await resend.Emails.send_async(
                    cast("resend.Emails.SendParams", payload), {"idempotency_key": idempotency_key}
                )
        except ResendError as error:
            failure = classify(error)
            if isinstance(failure, AccountRefused):
                log.error(  # noqa: TRY400 - it is said, not traced: each probe says it again
                    "ALERT: no mail can go out; is the API key valid, and the sender's domain verified?",
                    said=said(error),
                )
            elif isinstance(failure, NotTried | StillRunning):
                return failure
            raise failure from error
        except TimeoutError as error:
            raise Transient(f"Resend did not answer within {self._call_seconds:.0f} s") from error
        if not answer.get("id"):
            raise Transient("Resend answered without an id: whether it took the mail is unknown")
        return Taken(str(answer["id"]), _pause(answer.get("http_headers") or {}))

    async def close(self) -> None:
        """The SDK gets back what it had: a client that is closed would refuse whoever uses the SDK next."""
        if resend.default_async_http_client is self._http:
            resend.default_async_http_client = self._before
        await self._http.close()


def classify(error: ResendError) -> Failure:  # noqa: PLR0911 - one return for each row of the table
    """What an error of the SDK means for the mail. By status and name: the SDK has no class for most of them.

    Source: Resend's error reference. The SDK reports what failed on the way, without any answer, as a 500 named `HttpClientError`.
    """
    match _status(error), error.error_type:
        case 429, "daily_quota_exceeded" | "monthly_quota_exceeded":
            return NotTried(said(error), _retry_after(error) or QUOTA_USED_UP)
        case 429, _:
            return NotTried(said(error), _retry_after(error) or RATE_LIMITED)
        case 409, "concurrent_idempotent_requests":
            return StillRunning(said(error), STILL_RUNNING)
        case 409, "invalid_idempotent_request":
            return OtherMailUnderKey(said(error))
        case 401 | 403, _:
            return AccountRefused(said(error))
        case HTTPStatus.REQUEST_TIMEOUT, _:
            return Transient(said(error))
        case status, _ if status in range(400, 500):
            return Fatal(said(error))
        case _ if isinstance(error.__context__, NEVER_SENT):
            return NotTaken(said(error))
        case _:
            return Transient(said(error))


def said(error: ResendError) -> str:
    return f"Resend: {error.code} {error.error_type}: {error.message}"


def _status(error: ResendError) -> int:
    """A number, or a string of digits, or whatever a broken answer has in its place: then the outcome is unknown, as with a 500."""
    code = str(error.code)
    return int(code) if code.isdecimal() else HTTPStatus.INTERNAL_SERVER_ERROR


def _retry_after(error: ResendError) -> timedelta | None:
    return _seconds(error.headers, "retry-after")


def _pause(headers: Mapping[str, str]) -> timedelta | None:
    """Others use the account too: when nothing is left of its limit, we wait until there is again."""
    if _seconds(headers, "ratelimit-remaining") != timedelta(0):
        return None
    return _seconds(headers, "ratelimit-reset")


def _seconds(headers: Mapping[str, str], name: str) -> timedelta | None:
    value = {key.lower(): value for key, value in headers.items()}.get(name, "")
    return timedelta(seconds=min(int(value), LONGEST_SAID_SECONDS)) if value.isdecimal() else None


class PooledClient(AsyncHTTPClient):
    """The SDK's own client opens a connection, with its TLS handshake, for each call."""

    def __init__(self, call_seconds: float) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(call_seconds, connect=min(CONNECT_SECONDS, call_seconds)),
            limits=httpx.Limits(max_connections=LANES, max_keepalive_connections=LANES, keepalive_expiry=30),
        )

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        json: dict[str, object] | list[object] | None = None,
        files: dict[str, Any] | None = None,
        data: dict[str, str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        answer = await self._client.request(method, url, headers=headers, json=json, files=files, data=data)
        return answer.content, answer.status_code, answer.headers

    async def close(self) -> None:
        await self._client.aclose()
