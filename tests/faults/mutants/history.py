"""What clients saw, a line for each call that ended: `ok` was done, `fail` was surely not, and of `info` nobody knows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx


@dataclass
class History:
    file: Path

    def __post_init__(self) -> None:
        self.file.touch()

    async def call(
        self,
        client: httpx.AsyncClient,
        op: str,
        request: httpx.Request,
        *,
        user: UUID | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> httpx.Response | None:
        """None when no answer came."""
        invoked_at, answer = datetime.now(UTC), None
        try:
            answer = await client.send(request)
        except httpx.TransportError:
            answer = None
        line = {
            "process": 0,
            "op": op,
            "arguments": dict(arguments or {}),
            "idempotency_key": request.headers.get("Idempotency-Key"),
            "user": str(user) if user else None,
            "invoked_at": invoked_at.isoformat(),
            "completed_at": datetime.now(UTC).isoformat(),
            "outcome": _outcome(answer),
            "status": answer.status_code if answer is not None else None,
            "answer": _body(answer),
        }
        with self.file.open("a") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        return answer


def _outcome(answer: httpx.Response | None) -> str:
    if answer is None or answer.status_code >= 500:
        return "info"
    return "ok" if answer.status_code < 400 else "fail"


def _body(answer: httpx.Response | None) -> Any:
    if answer is None:
        return None
    try:
        return answer.json()
    except ValueError:
        return None
