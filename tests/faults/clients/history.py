"""What clients asked and what they were told, one line for each call that ended; and the points that faults are bound to."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from tests.faults.plan.plan import Point

Outcome = Literal["ok", "fail", "info"]
"""Done, surely not done, or nobody knows: Jepsen's words."""


def instant() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


@dataclass
class History:
    file: TextIO
    began: float = field(default_factory=time.monotonic)
    counts: Counter[str] = field(default_factory=Counter)
    """Of `ok hold` and the like."""
    processes: int = 0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def new_process(self) -> int:
        """A client that does not know what became of its call is another from then on."""
        self.processes += 1
        return self.processes

    async def note(self, outcome: Outcome, op: str, **told: Any) -> None:
        line = {"op": op, "outcome": outcome, "completed_at": instant(), **told}
        self.file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.counts[f"{outcome} {op}"] += 1
        async with self._changed:
            self._changed.notify_all()

    @property
    def second(self) -> float:
        """Of the storm."""
        return time.monotonic() - self.began

    async def until(self, point: Point) -> None:
        """Returns when the point has come, or its latest second."""
        patience = max(0.0, point.at_latest_second - self.second)
        try:
            async with asyncio.timeout(patience), self._changed:
                await self._changed.wait_for(lambda: self._is_past(point))
        except TimeoutError:
            return

    def _is_past(self, point: Point) -> bool:
        return (self.second if point.after == "second" else self.counts[point.after]) >= point.count
