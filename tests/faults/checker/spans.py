"""When faults were under way, merged, so that each of a million calls can be asked about."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from tests.faults.checker.history import Fault


@dataclass(frozen=True)
class Spans:
    """Neither overlapping nor touching, in order."""

    starts: list[datetime] = field(default_factory=list)
    ends: list[datetime] = field(default_factory=list)

    @classmethod
    def of(cls, faults: Iterable[Fault], slack_seconds: float) -> Self:
        spans = cls()
        for fault in sorted(faults, key=lambda one: one.at):
            ends_at = fault.ended_at + timedelta(seconds=slack_seconds)
            if spans.ends and fault.at <= spans.ends[-1]:
                spans.ends[-1] = max(spans.ends[-1], ends_at)
            else:
                spans.starts.append(fault.at)
                spans.ends.append(ends_at)
        return spans

    def meet(self, since: datetime, until: datetime) -> bool:
        number = bisect_right(self.starts, until)
        return number > 0 and since <= self.ends[number - 1]
