from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def happens(event: asyncio.Event, within_seconds: float) -> bool:
    """Wait for an event, but no longer than that. Whether it happened."""
    try:
        return await asyncio.wait_for(event.wait(), within_seconds)
    except TimeoutError:
        return False


async def to_its_end(work: Coroutine[Any, Any, object], patience_seconds: float = 2.0) -> None:
    """Who is cancelled meanwhile waits for it a moment longer: aiokafka leaves a connection open that it was about to make."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=patience_seconds)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
