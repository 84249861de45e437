"""How much of the machine others used while we measured: a figure from a busy machine must say so."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import psutil


@dataclass(frozen=True)
class Neighbours:
    """Begins to watch when it is made."""

    _began: tuple[float, float, float] = field(default_factory=lambda: _now())  # noqa: PLW0108 - it stands below

    @property
    def share_percent(self) -> float:
        """Of all cores together, since then."""
        seconds, busy, ours = (now - then for now, then in zip(_now(), self._began, strict=True))
        return max(0.0, 100 * (busy - ours) / (seconds * (psutil.cpu_count() or 1)))


def _now() -> tuple[float, float, float]:
    """Seconds: of the clock, of CPU that anybody used, and of CPU that this process and all it started used."""
    everybody, me = psutil.cpu_times(), psutil.Process()
    busy = sum(everybody) - everybody.idle - getattr(everybody, "iowait", 0.0)
    return time.monotonic(), busy, sum(_used(process) for process in (me, *me.children(recursive=True)))


def _used(process: psutil.Process) -> float:
    """With what its own children had used when they ended."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0
