"""A client of the club's API, as good clients are: patient, and with the same Idempotency-Key when it asks again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

from tests.faults.clients.history import History, Outcome, instant

PATIENCE_SECONDS = 8.0
"""Longer than any timeout within the service, so that most of what is unknown is the fault's own doing."""
TRIES = 6
PAUSE_SECONDS = 0.25
"""Before the second try, and twice as long before each further one."""


@dataclass(frozen=True)
class Answer:
    outcome: Outcome
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def code(self) -> str | None:
        """Of a problem document."""
        return self.body.get("code") if isinstance(self.body, dict) else None

    @property
    def is_worth_another_try(self) -> bool:
        return self.outcome == "info" or self.status == httpx.codes.TOO_MANY_REQUESTS


@dataclass
class Client:
    history: History
    http: httpx.AsyncClient
    url: str
    user: str | None = None
    token: str | None = None
    process: int = 0

    async def ask(
        self,
        op: str,
        method: str,
        path: str,
        *,
        arguments: Mapping[str, Any],
        body: Any = None,
        key: str | None = None,
        **request: Any,
    ) -> Answer:
        """One call, and its line in the history. `path` may be a whole URL."""
        self.process = self.process or self.history.new_process()
        invoked_at = instant()
        answer = await self._answer(method, path, body, key, request)
        await self.history.note(
            answer.outcome,
            op,
            process=self.process,
            arguments=dict(arguments),
            idempotency_key=key,
            user=self.user,
            invoked_at=invoked_at,
            status=answer.status,
            answer=answer.body,
        )
        if answer.outcome == "info":
            self.process = self.history.new_process()
        return answer

    async def insist(self, op: str, method: str, path: str, **told: Any) -> Answer:
        """The same with a key of its own, again and again until it is known what came of it."""
        key = told.pop("key", None) or str(uuid4())
        for number in range(TRIES):
            answer = await self.ask(op, method, path, key=key, **told)
            if not answer.is_worth_another_try:
                break
            await asyncio.sleep(PAUSE_SECONDS * 2**number)
        return answer

    async def _answer(self, method: str, path: str, body: Any, key: str | None, request: dict[str, Any]) -> Answer:
        url = path if path.startswith("http") else self.url + path
        headers = dict(request.pop("headers", {}))
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                answer = await self.http.request(method, url, json=body, headers=headers, **request)
        except (httpx.HTTPError, TimeoutError):
            return Answer("info")
        return Answer(_outcome(answer.status_code), answer.status_code, _parsed(answer), answer.headers)


def _outcome(status: int) -> Outcome:
    """What failed within the service may have been done before."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return "info"
    return "ok" if status < httpx.codes.BAD_REQUEST else "fail"


def _parsed(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None
