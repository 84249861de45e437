"""One request between the network and the stand-in, in the hands of a fault."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deploy.standins import wire

Headers = list[tuple[bytes, bytes]]


@dataclass
class Answer:
    status: int
    headers: Headers
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    def with_body(self, body: bytes) -> "Answer":
        """The same with other bytes, and the length to go with them."""
        kept = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        return Answer(self.status, [*kept, (b"content-length", str(len(body)).encode())], body)

    def with_document(self, document: Any) -> "Answer":
        return self.with_body(json.dumps(document).encode())


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Text is sent as it is, everything else as JSON."""
    kind, content = ("text/html", body) if isinstance(body, str) else ("application/json", json.dumps(body))
    named = {"content-type": f"{kind}; charset=utf-8" if kind == "text/html" else kind, **(headers or {})}
    written = [(name.lower().encode(), value.encode()) for name, value in named.items()]
    return Answer(status, written, b"").with_body(content.encode())


@dataclass
class Line:
    app: ASGIApp
    scope: Scope
    receive: Receive
    send: Send

    async def pass_on(self) -> None:
        await self.app(self.scope, self.receive, self.send)

    async def accept(self) -> Answer:
        """The stand-in does what it was asked for; its answer is kept back."""
        answered = Answer(500, [], b"")

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answered.status, answered.headers = message["status"], list(message["headers"])
            else:
                answered.body += message.get("body", b"")

        await self.app(self.scope, self.receive, keep)
        return answered

    async def answer(self, given: Answer) -> None:
        await self.send({"type": "http.response.start", "status": given.status, "headers": given.headers})
        await self.send({"type": "http.response.body", "body": given.body})

    async def drip(self, given: Answer, pieces: int, every_s: float) -> None:
        await self.send({"type": "http.response.start", "status": given.status, "headers": given.headers})
        size = max(1, -(-len(given.body) // pieces))
        gone = asyncio.ensure_future(self._gone())
        for start in range(0, len(given.body), size):
            if (await asyncio.wait([gone], timeout=every_s))[0]:
                return
            piece = given.body[start : start + size]
            await self.send({"type": "http.response.body", "body": piece, "more_body": True})
        gone.cancel()
        await self.send({"type": "http.response.body", "body": b""})

    async def break_off(self, given: Answer) -> None:
        """Half of the answer, then RST."""
        await self.send({"type": "http.response.start", "status": given.status, "headers": given.headers})
        half = given.body[: len(given.body) // 2]
        await self.send({"type": "http.response.body", "body": half, "more_body": True})
        await self.reset()

    async def reset(self) -> None:
        wire.reset(self.scope)
        await self._gone()

    async def silence(self, at_most_s: float) -> None:
        """No answer, until the caller has had enough."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most_s):
                await self._gone()
                return
        await self.reset()

    async def _gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
