"""A host's clock is an hour off, or jumps while the process runs: time is the database's, so nothing comes early, late or twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Bench, Noted
from tests.integration.chassis.test_ladder import appended, tier

pytestmark = pytest.mark.slow

HOUR = timedelta(hours=1)
DELAY = timedelta(seconds=2)


@contextmanager
def clock_off_by(offset: timedelta) -> Iterator[None]:
    """That of this process; the broker and the database have their own, and so has what counts the seconds between two events."""
    with time_machine.travel(datetime.now(UTC) + offset, tick=True):
        yield


class DatabaseClocked:
    """Notes when each event was handled, by the database's clock."""

    def __init__(self, bench: Bench) -> None:
        self.at: dict[bytes, float] = {}
        self.bench, self.note = bench, bench.note

    async def __call__(self, work: UnitOfWork, event: Noted) -> None:
        await self.note(work, event)
        now = await self.bench.database.pool.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
        self.at[event.name.encode()] = now


@pytest.mark.parametrize("offset", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
async def test_a_retry_is_made_when_it_is_due_though_the_workers_clock_is_wrong(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, offset: timedelta
) -> None:
    bench.settings.retry_delays = (DELAY,) * 4
    clocked = DatabaseClocked(bench)
    monkeypatch.setattr(bench, "note", clocked)
    events = [Noted(name=f"n{number}", number=number, fails="at first") for number in range(3)]
    with clock_off_by(offset):
        async with bench.working():
            await bench.publish(*events)
            await bench.until_effects(len(events))
    waited = appended(await bench.read(tier(bench, "5s"), len(events)))
    assert all(clocked.at[key] >= at + DELAY.total_seconds() for key, at in waited.items()), "none was early"
    assert len(await bench.effects()) == len(events)


async def test_a_clock_that_jumps_while_a_record_waits_neither_hurries_nor_holds_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.settings.retry_delays = (DELAY,) * 4
    clocked = DatabaseClocked(bench)
    monkeypatch.setattr(bench, "note", clocked)
    async with bench.working():
        for number, offset in enumerate((HOUR, -HOUR)):
            await bench.publish(Noted(name=f"n{number}", number=number, fails="at first"))
            waiting = await bench.read(tier(bench, "5s"), number + 1)
            with clock_off_by(offset):
                await bench.until_effects(number + 1)
            at = appended(waiting)[f"n{number}".encode()]
            assert clocked.at[f"n{number}".encode()] >= at + DELAY.total_seconds()
