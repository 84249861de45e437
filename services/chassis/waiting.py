from __future__ import annotations

import asyncio


async def happens(event: asyncio.Event, within_seconds: float) -> bool:
    """Wait for an event, but no longer than that. Whether it happened."""
    try:
        return await asyncio.wait_for(event.wait(), within_seconds)
    except TimeoutError:
        return False
