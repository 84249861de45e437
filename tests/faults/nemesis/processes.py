"""Faults of the services' processes: killed, frozen, told to go, dying at a named point, one too many of them."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace

from deploy.local.processes import Part
from services.chassis import crash_points
from tests.faults.nemesis.storm import Details, Storm
from tests.faults.plan.plan import Fault
from tests.faults.stack.keeping import Kept
from tests.faults.stack.parts import RUNNERS
from tests.ports import free_port

REACHED_SECONDS = 20.0
"""A point that nobody comes to within this time is not reached in this storm: then the process just dies."""


async def kill(storm: Storm, fault: Fault) -> Details:
    kept = storm.kept(fault.target)
    was_there = await kept.kill()
    return {"killed": was_there, "ready": await storm.are_ready([kept])}


async def freeze(storm: Storm, fault: Fault) -> Details:
    kept = storm.kept(fault.target)
    was_there = kept.signal(signal.SIGSTOP)
    await asyncio.sleep(fault.arguments["seconds"])
    kept.signal(signal.SIGCONT)
    return {"frozen": was_there}


async def restart(storm: Storm, fault: Fault) -> Details:
    """As a deploy does."""
    kept = storm.kept(fault.target)
    await kept.stop()
    return {"ready": await storm.are_ready([kept])}


async def dies_at_a_point(storm: Storm, fault: Fault) -> Details:
    """A fresh process that kills itself there, at the n-th time."""
    kept = storm.kept(fault.target)
    kept.told_once = {crash_points.VARIABLE: f"{fault.arguments['point']}:{fault.arguments['passes']}"}
    await kept.stop()
    await storm.are_ready([kept])
    reached = await _is_down_within(kept, REACHED_SECONDS)
    if not reached:
        await kept.kill()
    return {"reached": reached, "ready": await storm.are_ready([kept])}


async def second_relay(storm: Storm, fault: Fault) -> Details:
    """All workers freeze; one that knows nothing of them takes over; then they come back and believe that they have the lock."""
    workers = storm.of_service(fault.target, "worker")
    for worker in workers:
        worker.signal(signal.SIGSTOP)
    try:
        ready = await _beside(storm, fault, fault.arguments["seconds"], workers)
    finally:
        for worker in workers:
            worker.signal(signal.SIGCONT)
    return {"took_over": ready}


async def rebalance_storm(storm: Storm, fault: Fault) -> Details:
    """Members come and go, and each time everybody's partitions are dealt anew."""
    ready = [await _beside(storm, fault, 1.0) for _ in range(fault.arguments["members"])]
    return {"joined": sum(ready)}


async def kill_everything(storm: Storm, fault: Fault) -> Details:
    """The power fails: every process, the broker and the database at once."""
    system = storm.system
    postgres = system.stack.processes.running("postgres")
    await asyncio.gather(*(kept.kill() for kept in system.kept.values()), system.stack.kill("kafka"))
    if postgres:
        await storm.postgres_crashes()
    await asyncio.gather(storm.postgres_starts(), system.stack.start_kafka())
    return {"ready": await storm.are_ready(system.kept.values())}


async def migrate_again(storm: Storm, fault: Fault) -> Details:
    """The job of every deploy, while the service works; there is nothing new in it."""
    stack = storm.system.stack
    job = stack.programs.migrations[fault.target]
    await stack.processes.finish(replace(job, name=f"migrate-{fault.target}-again"))
    return {}


async def _beside(storm: Storm, fault: Fault, seconds: float, others: list[Kept] | None = None) -> bool:
    """One more worker of this service, for so long. When `others` sleep they wake up while it still works."""
    runner = next(each for each in RUNNERS if each.service == fault.target and each.role == "worker")
    processes = storm.system.stack.processes
    part: Part = storm.system.part(runner, storm.next_name(f"{fault.target}-beside"), {}, free_port())
    processes.start(part)
    try:
        ready = True
        try:
            async with asyncio.timeout(REACHED_SECONDS):
                await processes.until_ready(part)
        except TimeoutError:
            ready = False
        await asyncio.sleep(seconds)
        for other in others or ():
            other.signal(signal.SIGCONT)
        await asyncio.sleep(1.0 if others else 0.0)
        return ready
    finally:
        await processes.stop(part.name)


async def _is_down_within(kept: Kept, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await kept.is_down()
            return True
    return False
