"""`run.json`: where the run's databases, broker and providers are, and the rules that it was played by."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from tests.faults.checker.errors import CouldNotCheck

RETRY_DELAYS_SECONDS = {"5s": 5.0, "1m": 60.0, "10m": 600.0, "1h": 3600.0}
SERVICES = ("booking", "payments", "notifications")


@dataclass(frozen=True)
class Rules:
    """What the run was played by. What `run.json` does not name has the product's own value."""

    max_active_bookings: int = 2
    cancel_before_hours: float = 24
    hold_seconds: float = 900
    drain_seconds: float = 60
    """From the last fault until everything is at rest."""
    idle_seconds: float = 30
    """How long a consumer or a relay may stand still with work waiting."""
    mail_call_seconds: float = 10
    heals_seconds: float = 15
    """From the end of a fault until the pools have found back, and no 503 is answered any more."""
    retry_delay_seconds: Mapping[str, float] = field(default_factory=RETRY_DELAYS_SECONDS.copy)
    p99_ms: float | None = None
    """Of answers outside of all faults; not judged when it is not given, since a busy machine says nothing about the product."""

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        known = {name: told[name] for name in cls.__dataclass_fields__ if name in told}
        delays = known.get("retry_delay_seconds")
        if isinstance(delays, list):
            known["retry_delay_seconds"] = dict(zip(RETRY_DELAYS_SECONDS, delays, strict=True))
        return cls(**known)


@dataclass(frozen=True)
class Poison:
    """A record that the plan produced itself, past every service. The topic without its prefix."""

    topic: str
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True)
class Run:
    seed: int = 0
    minutes: float = 0
    commit: str = ""
    started_at: datetime | None = None
    last_fault_at: datetime | None = None
    drained_at: datetime | None = None
    databases: Mapping[str, str] = field(default_factory=dict)
    kafka: str = ""
    topic_prefix: str = ""
    polar: str = ""
    resend: str = ""
    booking: str | None = None
    """The URL of a booking API that still serves, for its availability; left out, only answers in the history are judged."""
    rules: Rules = field(default_factory=Rules)
    hostile_users: frozenset[str] = frozenset()
    canaries: tuple[str, ...] = ()
    logs: Path | None = None
    poison: tuple[Poison, ...] = ()
    fatal_events: frozenset[str] = frozenset()
    """Ids of events of the product's own that the plan made deadly: they may end among the dead letters."""

    @classmethod
    def read(cls, folder: Path) -> Self:
        try:
            told = json.loads((folder / "run.json").read_text())
            return cls._of(told)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CouldNotCheck(f"{folder / 'run.json'} cannot be read: {error!r}") from error

    @classmethod
    def _of(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            seed=told.get("seed", 0),
            minutes=told.get("minutes", 0),
            commit=told.get("commit", ""),
            **{name: _instant(told.get(name)) for name in ("started_at", "last_fault_at", "drained_at")},
            databases={service: told["databases"][service] for service in SERVICES},
            kafka=told["kafka"],
            topic_prefix=told.get("topic_prefix", ""),
            polar=told["polar"].rstrip("/"),
            resend=told["resend"].rstrip("/"),
            booking=told.get("booking"),
            rules=Rules.read(told.get("rules", {})),
            hostile_users=frozenset(told.get("hostile_users", ())),
            canaries=tuple(told.get("canaries", ())),
            logs=Path(told["logs"]) if told.get("logs") else None,
            poison=tuple(_poison(each, told.get("topic_prefix", "")) for each in told.get("poison", ())),
            fatal_events=frozenset(told.get("fatal_events", ())),
        )


def _poison(told: Mapping[str, Any], prefix: str) -> Poison:
    value = told.get("value_b64")
    key = told.get("key")
    return Poison(
        told["topic"].removeprefix(prefix),
        None if key is None else str(key).encode(),
        None if value is None else base64.b64decode(value),
    )


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
