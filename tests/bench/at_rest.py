"""i. Memory, start and idleness of every process: alone, with nothing to do, and the booking API with holds to take, as case a has it: no
other process of ours takes part in that.
"""

from __future__ import annotations

import asyncio
import time
from itertools import product

import psutil

from deploy.local.environment import SERVICES
from tests.bench import load
from tests.bench.bench import Bench
from tests.bench.booking_api import NAME, booking_api
from tests.bench.holds import HOLDS_A_SECOND, regulars
from tests.bench.lines import Line
from tests.bench.rounds import Series

ROLES = ("api", "worker", "all")
CLIENTS = 8
SETTLING_SECONDS = 15.0
"""Until groups have their partitions and first looks are over. A measurement at rest has no condition to wait for but time."""
RESTING_SECONDS = 20.0
MEBIBYTE = 1 << 20


async def measure(bench: Bench) -> list[Line]:
    await bench.stack.start_kafka()
    await bench.stack.install()
    for standin in ("polar", "resend"):
        await bench.stack.start_standin(standin)
    resting = [line for service, role in product(SERVICES, ROLES) for line in await _at_rest(bench, service, role)]
    for standin in ("polar", "resend"):
        await bench.stack.stop(standin)
    return [*resting, *await _at_work(bench)]


async def _at_rest(bench: Bench, service: str, role: str) -> list[Line]:
    name, told = f"{service}-{role}", f"{service} {role}"
    began = time.monotonic()
    await bench.stack.start(service, role, name=name)
    started = time.monotonic() - began
    process = _process(bench, name)
    try:
        await asyncio.sleep(SETTLING_SECONDS)
        before = _cpu_seconds(process)
        await asyncio.sleep(RESTING_SECONDS)
        share = 100 * (_cpu_seconds(process) - before) / RESTING_SECONDS
        memory = process.memory_info().rss / MEBIBYTE
    finally:
        await bench.stack.stop(name)
    return [
        Line(f"{told}: from its start to ready", "s", Series.of([started])),
        Line(f"{told} at rest", "MiB", Series.of([memory])),
        Line(f"{told} at rest: of one core", "%", Series.of([share])),
    ]


async def _at_work(bench: Bench) -> list[Line]:
    most, costs = [], []
    async with booking_api(bench, regulars=regulars(bench)) as api:
        process = _process(bench, NAME)
        for _ in range(bench.rounds):
            await api.club.clear()
            before = _cpu_seconds(process)
            held = await load.sustain(api.url, CLIENTS, bench.seconds, api.holds(int(HOLDS_A_SECOND * bench.seconds)))
            held.require(201)
            costs.append(1000 * (_cpu_seconds(process) - before) / len(held.latencies_ms))
            most.append(process.memory_info().rss / MEBIBYTE)
    return [
        Line(f"booking api under holds of {CLIENTS} clients", "MiB", Series.of(most)),
        Line("its CPU for one hold", "ms", Series.of(costs)),
    ]


def _process(bench: Bench, name: str) -> psutil.Process:
    running = bench.stack.processes.running(name)
    assert running, f"{name} does not run"
    return psutil.Process(running.pid)


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return used.user + used.system
