from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from services.chassis.clock import DatabaseClock
from tests.integration.chassis.conftest import Bench


async def test_the_clock_is_the_databases_and_never_jumps_while_it_looks(bench: Bench) -> None:
    clock = DatabaseClock()
    await clock.synchronise(bench.database)
    seen = [clock.now()]
    for _ in range(20):
        # As if the last look were half a minute old.
        clock._seen = (clock.now() - timedelta(seconds=30), time.monotonic() - 30)
        look = asyncio.create_task(clock.synchronise(bench.database))
        while not look.done():
            await asyncio.sleep(0)
            seen.append(clock.now())
        await look
    async with bench.database.engine.connect() as connection:
        there = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
    assert abs(clock.now() - there) < timedelta(seconds=15)
    assert len(seen) > 100
    for before, after in pairwise(seen):
        assert abs(after - before) < timedelta(seconds=15), (
            "a look of an old clock must not carry its age into the new one"
        )


async def test_a_slow_look_does_not_set_the_clock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may keep an answer waiting: half of that wait would be the clock's error."""
    before = DatabaseClock()
    await before.synchronise(bench.database)
    reads = count()
    waits_once = SimpleNamespace(monotonic=lambda: time.monotonic() + (60 if next(reads) else 0))
    monkeypatch.setattr("services.chassis.clock.time", waits_once)
    clock = DatabaseClock()
    await clock.synchronise(bench.database)
    found = clock.now()
    monkeypatch.undo()
    assert abs(found - before.now()) < timedelta(seconds=10)
