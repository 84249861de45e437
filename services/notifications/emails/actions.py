"""The mail provider: one protocol, and Resend behind it, over its official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Protocol, cast

import httpx
import resend
from pydantic import SecretStr
from resend.exceptions import ResendError
from resend.http_client_async import AsyncHTTPClient

from services.chassis.breaker import Breaker
from services.chassis.consuming import LANES
from services.chassis.retrying import Failure, Fatal, Transient

CALL_SECONDS = 10.0
"""One call, from the first byte to the last: Resend answers in well under a second, or not at all."""
CONNECT_SECONDS = 3.0
STILL_RUNNING = timedelta(seconds=2)
RATE_LIMITED = timedelta(seconds=1)
"""When a 429 does not say for how long: the limit is one of requests per second."""
QUOTA_USED_UP = timedelta(hours=1)
"""Quotas are of days and months: the longest tier, so that a dozen tries span a day."""


class MailProvider(Protocol):
    @property
    def name(self) -> str: ...

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> str:
        """The provider's id of the mail: the same one however often this mail is sent. Raises `Transient` or `Fatal`."""
        ...


class Resend:
    name = "resend"

    def __init__(self, base_url: str, api_key: SecretStr) -> None:
        """The SDK's settings are globals of its module, so a process has one of these."""
        resend.api_url, resend.api_key = base_url.rstrip("/"), api_key.get_secret_value()
        self.breaker = Breaker(self.name)
        self._before, self._http = resend.default_async_http_client, PooledClient()
        resend.default_async_http_client = self._http

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> str:
        with self.breaker.calling():
            return await self._send(payload, idempotency_key)

    async def _send(self, payload: Mapping[str, Any], idempotency_key: str) -> str:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                answer = await resend.Emails.send_async(
                    cast("resend.Emails.SendParams", payload), {"idempotency_key": idempotency_key}
                )
        except ResendError as error:
            raise classify(error) from error
        except TimeoutError as error:
            raise Transient(f"Resend did not answer within {CALL_SECONDS:.0f} s") from error
        if not answer.get("id"):
            raise Transient("Resend answered without an id: whether it took the mail is unknown")
        return str(answer["id"])

    async def close(self) -> None:
        """The SDK gets back what it had: a client that is closed would refuse whoever uses the SDK next."""
        if resend.default_async_http_client is self._http:
            resend.default_async_http_client = self._before
        await self._http.close()


def classify(error: ResendError) -> Failure:  # noqa: PLR0911 - one return for each row of the table
    """What an error of the SDK means for the mail. By status and name: the SDK has no class for most of them.

    Source: Resend's error reference. The SDK reports what failed on the way, without any answer, as a 500 named `HttpClientError`.
    """
    said = f"Resend: {error.code} {error.error_type}: {error.message}"
    match _status(error), error.error_type:
        case 429, "daily_quota_exceeded" | "monthly_quota_exceeded":
            return Transient(said, max(QUOTA_USED_UP, _retry_after(error)))
        case 429, _:
            return Transient(said, _retry_after(error))
        case 409, "concurrent_idempotent_requests":
            return Transient(said, STILL_RUNNING)
        case 409, "invalid_idempotent_request":
            return Fatal(f"our bug: another mail went out under this key, so this one must not be repeated. {said}")
        case 401 | 403, _:
            return Fatal(f"ALERT, no mail can go out: is the API key valid, and the sender's domain verified? {said}")
        case HTTPStatus.REQUEST_TIMEOUT, _:
            return Transient(said)
        case status, _ if status in range(400, 500):
            return Fatal(said)
        case _:
            return Transient(said)


def _status(error: ResendError) -> int:
    """A number, or a string of digits, or whatever a broken answer has in its place: then the outcome is unknown, as with a 500."""
    code = str(error.code)
    return int(code) if code.isdecimal() else HTTPStatus.INTERNAL_SERVER_ERROR


def _retry_after(error: ResendError) -> timedelta:
    headers = {name.lower(): value for name, value in error.headers.items()}
    seconds = headers.get("retry-after", "")
    return timedelta(seconds=min(int(seconds), 86_400)) if seconds.isdecimal() else RATE_LIMITED


class PooledClient(AsyncHTTPClient):
    """The SDK's own client opens a connection, with its TLS handshake, for each call."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(CALL_SECONDS, connect=CONNECT_SECONDS),
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
