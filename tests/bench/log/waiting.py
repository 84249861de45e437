"""Waiting for what other processes do, and nothing here is told of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Seen = TypeVar("Seen")

WITHIN_SECONDS = 900.0
"""More than anything takes: a benchmark on a busy machine is slow, not wrong."""


async def until(
    what: str,
    look: Callable[[], Awaitable[Seen]],
    enough: Callable[[Seen], bool],
    *,
    every_seconds: float = 0.1,
    within_seconds: float = WITHIN_SECONDS,
) -> Seen:
    """What was seen first that is enough. `AssertionError` when it does not come."""
    deadline = time.monotonic() + within_seconds
    while not enough(seen := await look()):
        assert time.monotonic() < deadline, f"{what} did not come: {seen}"
        await asyncio.sleep(every_seconds)
    return seen
