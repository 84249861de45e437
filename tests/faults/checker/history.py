"""What was seen from outside while the run went on: the clients' calls, the faults that were played, the samples of the live watch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

from tests.faults.checker.errors import CouldNotCheck


@dataclass(frozen=True)
class Call:
    """One call of one client. `ok`: done. `fail`: surely not done. `info`: nobody knows, and either is right."""

    op: str
    invoked_at: datetime
    completed_at: datetime
    outcome: str
    status: int | None = None
    answer: Any = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    user: str | None = None
    key: str | None = None
    process: int = 0

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            op=told["op"],
            invoked_at=datetime.fromisoformat(told["invoked_at"]),
            completed_at=datetime.fromisoformat(told["completed_at"]),
            outcome=told["outcome"],
            status=told.get("status"),
            answer=told.get("answer"),
            arguments=told.get("arguments") or {},
            user=told.get("user"),
            key=told.get("idempotency_key"),
            process=told.get("process", 0),
        )

    @property
    def is_ok(self) -> bool:
        return self.outcome == "ok"

    @property
    def is_refused(self) -> bool:
        """A 4xx. A 5xx says nothing: what it was asked for may be done."""
        return self.outcome == "fail" and (self.status is None or self.status < 500)

    @property
    def may_be_done(self) -> bool:
        return not self.is_refused

    @property
    def problem(self) -> str | None:
        return self.answer.get("code") if isinstance(self.answer, dict) else None

    @property
    def seconds(self) -> float:
        return (self.completed_at - self.invoked_at).total_seconds()

    @property
    def shown(self) -> Mapping[str, Any]:
        """For a report: no answer, which may be long."""
        return {
            "op": self.op,
            "user": self.user,
            "at": self.invoked_at.isoformat(),
            "outcome": self.outcome,
            "status": self.status,
            "code": self.problem,
        }


COUNTED = ("struck", "records", "locked", "connections", "groups", "joined")
DONE = ("killed", "frozen")
TAKEN_ON = (200, 202)
EVERYBODYS = ("postgres", "all")


@dataclass(frozen=True)
class Fault:
    kind: str
    row: int
    at: datetime
    ended_at: datetime
    target: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        at = datetime.fromisoformat(told["at"])
        ended = told.get("ended_at")
        return cls(
            kind=told["kind"],
            row=int(told.get("row") or 0),
            at=at,
            ended_at=datetime.fromisoformat(ended) if ended else at,
            target=str(told.get("target") or ""),
            details=told.get("details") or {},
        )

    @property
    def came_to(self) -> str:
        """The kind of what really happened: a process that never came to its point was killed at another, and workers that nobody stood in
        for were frozen.
        """
        if self.details.get("reached") is False:
            return "kill"
        return "freeze" if self.details.get("took_over") is False else self.kind

    @property
    def may_have_struck(self) -> bool:
        """What was out of reach at its end may have been struck before."""
        return "out_of_reach" in self.details or self.hit

    @property
    def hit(self) -> bool:
        """Whether it struck anything: another fault may have taken away what it was after, or nobody came by."""
        details = self.details
        in_vain = any(details.get(name) == 0 for name in COUNTED) or any(details.get(name) is False for name in DONE)
        refused = self.kind == "redrive" and details.get("status") not in TAKEN_ON
        return "out_of_reach" not in details and not in_vain and not refused

    def may_touch(self, part: str) -> bool:
        """A process of this name, or of this service, a link of it, or what everybody needs: the database."""
        ends = self.target.split("→")
        return self.target in EVERYBODYS or any(end == part or end.startswith(f"{part}-") for end in ends)

    def covers(self, since: datetime, until: datetime, slack_seconds: float) -> bool:
        """Whether it struck then, or so shortly before that its effect may have lasted."""
        return self.at <= until and since <= self.ended_at + timedelta(seconds=slack_seconds)


@dataclass(frozen=True)
class Sample:
    """What the live watch saw of one invariant in one second."""

    invariant: str
    at: datetime
    violations: tuple[Mapping[str, Any], ...] = ()
    state: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            told["invariant"],
            datetime.fromisoformat(told["at"]),
            tuple(told.get("violations") or ()),
            told.get("state") or {},
        )

    def line(self) -> str:
        return json.dumps(
            {
                "invariant": self.invariant,
                "at": self.at.isoformat(),
                "violations": list(self.violations),
                "state": self.state,
            },
            default=str,
        )


def lines(file: Path, *, may_be_missing: bool = False) -> Iterator[Mapping[str, Any]]:
    """Raises `CouldNotCheck`. A last line that a kill cut short is left out."""
    if may_be_missing and not file.exists():
        return
    try:
        written = file.read_text().splitlines()
    except OSError as error:
        raise CouldNotCheck(f"{file} cannot be read: {error}") from error
    for number, line in enumerate(written, start=1):
        try:
            yield json.loads(line)
        except ValueError as error:
            if number < len(written):
                raise CouldNotCheck(f"{file}:{number} is no JSON") from error
