"""What clients asked and were answered, as Jepsen keeps it: ok, fail, or info, which is that nobody knows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID


@dataclass
class Call:
    """`info` until an answer has come. `repeats` is the number of the call that this one was sent again for; `answered_before` says that
    one under this key had been answered with yes when this one began.
    """

    number: int
    op: str
    user_id: UUID
    arguments: dict[str, Any]
    key: str
    repeats: int | None = None
    answered_before: bool = False
    outcome: Literal["ok", "fail", "info"] = "info"
    status: int | None = None
    answer: bytes = b""

    @property
    def document(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.answer)
        return told

    def end(self, outcome: Literal["ok", "fail"], status: int, answer: bytes) -> None:
        self.outcome, self.status, self.answer = outcome, status, answer
