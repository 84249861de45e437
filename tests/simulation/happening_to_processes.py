"""What nobody wants: time that jumps, and processes that die."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from tests.simulation.moving import Happening, one_of, start_dead_again
from tests.simulation.world import World

MICROSECOND = timedelta(microseconds=1)
POINTS = (
    *("transaction.written", "transaction.written", "transaction.committed", "transaction.committed"),
    *("batch.handled", "offsets.committed", "record.failed", "record.forwarded"),
    *("attempt.unwritten", "attempt.begun", "attempt.handled", "attempt.ended"),
    *("relay.read", "relay.sent", "relay.deleted", "relay.committed", "hold.asked", "hold.committed"),
    *("checkout.made", "checkout.shown", "refund.begun", "refund.made", "refund.recorded"),
)
"""Where a process may be doomed to die; those of transactions are passed most often."""
JUMPS_SECONDS = (1, 1, 5, 5, 5, 20, 20, 61, 61, 61, 300, 300, 900, 3_600, 86_400)


async def _time(world: World, n: tuple[int, ...]) -> None:
    await world.pass_time(JUMPS_SECONDS[n[0] % len(JUMPS_SECONDS)])


async def _edge(world: World, n: tuple[int, ...]) -> None:
    """To the end of a hold, or of somebody's right to cancel: a microsecond before it, at it, or after it."""
    found = "SELECT hold_expires_at, starts_at FROM bookings WHERE status IN ('held', 'confirmed') ORDER BY id"
    row = one_of(n[0], await world.booking.chassis.database.pool.fetch(found))
    if row is not None:
        edge: datetime = row["hold_expires_at"] or row["starts_at"] - timedelta(hours=24)
        await world.go_to(edge + (n[1] % 3 - 1) * MICROSECOND)


async def _kill(world: World, n: tuple[int, ...]) -> None:
    office = list(world.offices.values())[n[0] % 3]
    await world.turns.bury(office.processes[n[1] % len(office.processes)])
    start_dead_again(world)


async def _doom(world: World, n: tuple[int, ...]) -> None:
    office = list(world.offices.values())[n[0] % 3]
    process = office.processes[n[1] % len(office.processes)]
    process.doom = (POINTS[n[2] % len(POINTS)], 1 + n[3] % 3)


HAPPENINGS: Mapping[str, Happening] = {
    "time": _time,
    "edge": _edge,
    "kill": _kill,
    "doom": _doom,
}
