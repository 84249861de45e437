"""A circuit breaker for one provider, in one process: while the provider is down, it is left alone.

    closed ── so many calls failed in a row ──► open ── after a while, the next record ──► probing ── it was answered ──► closed
                                                 ▲                                            └── it failed ──► open

A record that is turned away was not tried: it waits on a tier, and its attempts stay as many as they are.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum

import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.chassis.retrying import Fatal, NotTried, Transient

log = structlog.get_logger()

CALLS = Counter(
    "courtside_provider_calls_total", "Calls: answered, refused, or failed for now", ["provider", "outcome"]
)
SECONDS = Histogram("courtside_provider_call_seconds", "From a call to its answer, or to its failure", ["provider"])
STATE = Gauge("courtside_provider_breaker_state", "0 closed, 1 probing, 2 open", ["provider"])


class ProviderLeftAlone(Exception):
    """The breaker is open, or just being tried."""


class State(IntEnum):
    CLOSED = 0
    PROBING = 1
    OPEN = 2


@dataclass
class Breaker:
    """An answer is an answer, whatever it says: only what the provider's adapter calls `Transient` is a failure."""

    provider: str
    failures_to_open: int = 10
    """In a row, while up to sixteen calls run side by side: more than a hiccup, and a second's worth of an outage."""
    open_seconds: float = 30.0
    """Until the next probe: half of the tier's minute, so that whoever comes back from it may probe."""
    _failures: int = field(default=0, init=False)
    _opened_at: float = field(default=0.0, init=False)
    _state: State = field(default=State.CLOSED, init=False)

    def __post_init__(self) -> None:
        self._become(State.CLOSED)
        for outcome in ("answered", "refused", "failed"):
            CALLS.labels(self.provider, outcome)

    @contextmanager
    def admission(self) -> Iterator[None]:
        """Around the handling of a record that may call the provider. Raises `NotTried` while the breaker is open."""
        if self._state is State.CLOSED:
            yield
            return
        if self._state is State.PROBING or time.monotonic() < self._opened_at + self.open_seconds:
            raise NotTried(f"{self.provider} is down, and left alone for now")
        self._become(State.PROBING)
        try:
            yield
        finally:
            self._end_probe()

    @contextmanager
    def calling(self) -> Iterator[None]:
        """Around one call, with the adapter's own verdict on its failures inside."""
        with SECONDS.labels(self.provider).time():
            try:
                yield
            except Transient:
                self._failed()
                raise
            except Fatal:
                self._answered("refused")
                raise
            else:
                self._answered("answered")

    def require_closed(self) -> None:
        """Raises `ProviderLeftAlone`."""
        if self._state is not State.CLOSED:
            raise ProviderLeftAlone(
                f"{self.provider} is down: what needs it waits on the retry topics, with no attempt counted"
            )

    def _end_probe(self) -> None:
        """It may have come to no call: then the next record probes."""
        if self._state is State.PROBING:
            self._become(State.OPEN)

    def _failed(self) -> None:
        CALLS.labels(self.provider, "failed").inc()
        self._failures += 1
        if self._state is State.PROBING or (self._state is State.CLOSED and self._failures >= self.failures_to_open):
            self._opened_at = time.monotonic()
            self._become(State.OPEN)

    def _answered(self, outcome: str) -> None:
        CALLS.labels(self.provider, outcome).inc()
        self._failures = 0
        if self._state is not State.CLOSED:
            self._become(State.CLOSED)

    def _become(self, state: State) -> None:
        if state is not self._state:
            log.warning("breaker", provider=self.provider, state=state.name.lower())
        self._state = state
        STATE.labels(self.provider).set(state)
