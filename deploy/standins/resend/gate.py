"""Who may call the API, and how often: user agent, key, then the team's token bucket."""

import math
import secrets

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.standins.clock import Clock
from deploy.standins.resend.errors import Forbidden, InvalidApiKey, MissingApiKey, RateLimited, ResendError
from deploy.standins.resend.settings import Settings


class TokenBucket:
    """`rate` calls at once, then `rate` more each second of the stand-in's clock."""

    def __init__(self, rate_per_s: int, clock: Clock) -> None:
        self._rate = rate_per_s
        self._clock = clock
        self._tokens = float(rate_per_s)
        self._filled_at = clock.now()

    def take(self) -> bool:
        now = self._clock.now()
        self._tokens = min(self._rate, self._tokens + max(0.0, now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def headers(self) -> dict[str, str]:
        full_in_s = (self._rate - self._tokens) / self._rate
        return {
            "ratelimit-limit": str(self._rate),
            "ratelimit-remaining": str(int(self._tokens)),
            "ratelimit-reset": str(max(1, math.ceil(full_in_s))),
        }


class Gate:
    def __init__(self, app: ASGIApp, settings: Settings, clock: Clock) -> None:
        self._app = app
        self._api_key = settings.api_key.encode()
        self._rate_per_s = settings.rate_per_s
        self._bucket = TokenBucket(settings.rate_per_s, clock) if settings.rate_per_s else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/emails"):
            await self._app(scope, receive, send)
            return
        try:
            self._check(Headers(scope=scope))
        except ResendError as refused:
            retry = {"retry-after": "1"} if isinstance(refused, RateLimited) else None
            answer: ASGIApp = JSONResponse(refused.body(), refused.status, retry)
        else:
            answer = self._app

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start" and self._bucket:
                MutableHeaders(scope=message).update(self._bucket.headers())
            await send(message)

        await answer(scope, receive, send_with_limits)

    def _check(self, headers: Headers) -> None:
        if not headers.get("user-agent"):
            raise Forbidden("Missing User-Agent header.")
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not key:
            raise MissingApiKey
        if not secrets.compare_digest(key.encode(), self._api_key):
            raise InvalidApiKey
        if self._bucket and not self._bucket.take():
            raise RateLimited(self._rate_per_s)
