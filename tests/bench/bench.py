"""Where it is measured: real servers that lose nothing, as child processes of this run, and a note of the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from deploy.local.postgres import DURABLE
from tests.stack import TestStack
from tests.working_tree import commit

SERVER = DURABLE | {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",  # a checkpoint in the middle of a round would be one side's bad luck
    "checkpoint_timeout": "30min",
}
"""Every commit is on the disk before it is answered, as in production; only checkpoints are kept out of the rounds."""


@dataclass(frozen=True)
class Bench:
    """PostgreSQL runs; Kafka is started by the cases that need it (`stack.start_kafka()`)."""

    stack: TestStack
    rounds: int
    seconds: float
    """How long one side is measured in one round."""
    bookings: tuple[int, ...]
    """The sizes of the books, for the case that compares them."""


@asynccontextmanager
async def opened(rounds: int, seconds: float, bookings: tuple[int, ...]) -> AsyncIterator[Bench]:
    stack = await TestStack.open()
    try:
        await stack.start_postgres(SERVER)
        yield Bench(stack, rounds, seconds, bookings)
    finally:
        await stack.close()


def circumstances() -> dict[str, Any]:
    """What a reader must know to judge a figure. The load average is that of before: others work on this machine, too."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "cores": os.cpu_count(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
    }
