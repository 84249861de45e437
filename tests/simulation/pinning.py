"""Everything by which two runs of one seed could differ, taken out of the hands of the machine: time, chance, ids, and where to die.

The modules of the services and of the stand-ins see a stand-in of `time`, `random`, `secrets`, `uuid` and `asyncio.sleep` under those very
names; nothing of the product knows of it. What libraries do among themselves is left alone. Python's own order of sets is fixed by
`PYTHONHASHSEED`, which is why a run is a child process.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

import stamina
from uuid_utils.compat import uuid4, uuid7

from services.chassis import crash_points, pipeline
from services.chassis.clock import DatabaseClock
from tests.simulation import turns

OWN = ("services.", "deploy.standins.")
BEGINNING = datetime(2026, 10, 23, 10, tzinfo=UTC)
"""A Friday noon in Madrid, two days before its clocks are set back: what is booked lies on both sides of that."""


class SimulatedClock(DatabaseClock):
    """All clocks there are: that of the databases, of the hosts, of the broker, of Polar and of Resend."""

    def __init__(self) -> None:
        self.at = BEGINNING

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        """Since 1970."""
        return self.at.timestamp()


@dataclass
class Chance:
    """Ids and whims of one run."""

    clock: SimulatedClock
    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 - it must come out the same again
    made: int = 0

    def begin(self, seed: int) -> None:
        self.random.seed(f"{seed}:ids")
        self.made = 0

    def uuid4(self) -> uuid.UUID:
        return uuid.UUID(int=self.random.getrandbits(128), version=4)

    def uuid7(self) -> uuid.UUID:
        """In the order of making, as the real ones: RFC 9562, with a counter in the place of the fraction of a millisecond."""
        self.made += 1
        milliseconds = int(self.clock.at.timestamp() * 1000)
        bits = milliseconds << 80 | 7 << 76 | (self.made & 0xFFF) << 64 | 2 << 62 | self.random.getrandbits(62)
        return uuid.UUID(int=bits)

    def token(self, size: int = 32) -> str:
        return self.random.randbytes(size).hex()


class Seen:
    """A module as the product sees it: the same, but for some names."""

    def __init__(self, module: Any, **instead: Any) -> None:
        self._module = module
        self.__dict__.update(instead)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)


def pin(clock: SimulatedClock, chance: Chance, sleep: Callable[[float], Awaitable[None]]) -> None:
    """For the rest of this process's life. All modules of the product must have been imported."""
    modules = (
        (time, Seen(time, time=clock.seconds, monotonic=clock.seconds)),
        (random, chance.random),
        (secrets, Seen(secrets, token_hex=chance.token, token_urlsafe=chance.token)),
        (uuid, Seen(uuid, uuid4=chance.uuid4)),
        (asyncio, Seen(asyncio, sleep=sleep)),
        (uuid4, chance.uuid4),
        (uuid.uuid4, chance.uuid4),
        (uuid7, chance.uuid7),
        (crash_points.reach, turns.reach),
    )
    for name, module in sorted(sys.modules.items()):
        if name.startswith(OWN):
            for attribute, value in list(vars(module).items()):
                for real, seen in modules:
                    if value is real:
                        setattr(module, attribute, seen)
    setattr(pipeline, "LANES", 1)  # noqa: B010 - keys go side by side in several workers, not in one
    stamina.set_testing(True, attempts=4)  # without its pauses
