"""Who may call the API, and how often: user agent, key, then the team's token bucket."""

import math
import secrets

from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.standins.clock import Clock
from deploy.standins.resend import limits
from deploy.standins.resend.errors import Forbidden, InvalidApiKey, MissingApiKey, RateLimited, ResendError
from deploy.standins.resend.state import Outbox


class TokenBucket:
    """`rate` calls at once, then `rate` more each second of the stand-in's clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens = math.inf
        self._filled_at = clock.now()

    def take(self, rate: int) -> bool:
        now = self._clock.now()
        self._tokens = min(rate, self._tokens + max(0.0, now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def headers(self, rate: int) -> dict[str, str]:
        left = min(rate, self._tokens)
        return {
            "ratelimit-limit": str(rate),
            "ratelimit-remaining": str(int(left)),
            "ratelimit-reset": str(max(1, math.ceil((rate - left) / rate))),
        }


class Gate:
    def __init__(self, app: ASGIApp, outbox: Outbox) -> None:
        self._app = app
        self._outbox = outbox
        self._api_key = outbox.settings.api_key.encode()
        self._bucket = TokenBucket(outbox.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/emails"):
            await self._app(scope, receive, send)
            return
        rate = limits.most(self._outbox, "rate_per_s")
        try:
            self._check(Headers(scope=scope), rate)
        except ResendError as refused:
            answer: ASGIApp = JSONResponse(refused.body(), refused.status, refused.headers)
        else:
            answer = self._app

        async def send_with_limits(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {**(self._bucket.headers(rate) if rate else {}), **limits.headers(self._outbox)}
                MutableHeaders(scope=message).update(told)
            await send(message)

        await answer(scope, receive, send_with_limits)

    def _check(self, headers: Headers, rate: int) -> None:
        if not headers.get("user-agent"):
            raise Forbidden("Missing User-Agent header.")
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.casefold() != "bearer" or not key:
            raise MissingApiKey
        if not secrets.compare_digest(key.encode(), self._api_key):
            raise InvalidApiKey
        if rate and not self._bucket.take(rate):
            raise RateLimited(rate)
