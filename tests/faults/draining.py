"""The end of a storm: everything that was broken works again, and what waits is worked off, until nothing is left to do."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import httpx
from aiokafka.errors import KafkaError

from deploy.local.environment import SERVICES
from tests.e2e.groups import administering, consuming, groups_of, has_read_all
from tests.faults.links.proxy import FAIR
from tests.faults.nemesis.storm import Storm
from tests.faults.stack.system import System

LOOK_SECONDS = 0.5
PATIENCE_SECONDS = 480.0
"""For a busy machine; what is promised is judged by the checker."""
STANDINS = ("polar", "resend")

OPEN_INTENTS = {
    "payments": "SELECT (SELECT count(*) FROM payment_attempts WHERE state = 'creating')"
    " + (SELECT count(*) FROM refunds WHERE state IN ('requested', 'calling', 'pending'))",
    "notifications": "SELECT count(*) FROM emails WHERE state = 'queued'",
}
ORDERS = "SELECT polar_order_id FROM orders UNION SELECT polar_order_id FROM quarantined_orders"
UNREACHABLE = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, KafkaError, httpx.HTTPError, TimeoutError)

Left = dict[str, int]


async def heal(storm: Storm) -> None:
    """Nothing is broken any more: links, processes, servers, providers."""
    system = storm.system
    for link in system.links.values():
        link.become(FAIR)
    for kept in system.kept.values():
        kept.wanted, kept.told_once = True, {}
        kept.signal(signal.SIGCONT)
    await asyncio.gather(storm.postgres_starts(), system.stack.start_kafka())
    for standin in STANDINS:
        await system.pull(standin, "faults", "DELETE")
        await system.pull(standin, "webhook-faults", "DELETE")
        for endpoint in (await system.pull(standin, "webhook-endpoints", "GET"))["endpoints"]:
            await system.pull(standin, f"webhook-endpoints/{endpoint['id']}", enabled=True)


async def drain(system: System, *, also_holds: bool = False) -> Left:
    """Returns when nothing is left, or what is left when patience has run out. `also_holds`: until no hold can run out any more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (left := await _left(system, also_holds=also_holds)) and time.monotonic() < deadline:  # noqa: ASYNC110 - other processes work
        await asyncio.sleep(LOOK_SECONDS)
    return left


async def _left(system: System, *, also_holds: bool) -> Left:
    """What is dear to ask for is asked for last, when all else is done."""
    looks: list[Callable[[System], Awaitable[Left]]] = [_in_databases, _behind, _untold, _unheard_of]
    if also_holds:
        looks.insert(0, _held)
    for look in looks:
        found: Left = {"unreachable": 1}
        with suppress(*UNREACHABLE):
            found = {what: count for what, count in (await look(system)).items() if count}
        if found:
            return found
    return {}


async def _held(system: System) -> Left:
    async with system.connected("booking") as connection:
        return {"holds": await connection.fetchval("SELECT count(*) FROM bookings WHERE status = 'held'")}


async def _in_databases(system: System) -> Left:
    """Rows of the outboxes, intents without an outcome."""
    left: Left = {}
    for service in SERVICES:
        async with system.connected(service) as connection:
            left[f"outbox of {service}"] = await connection.fetchval("SELECT count(*) FROM outbox")
            if service in OPEN_INTENTS:
                left[f"intents of {service}"] = await connection.fetchval(OPEN_INTENTS[service])
    return left


async def _behind(system: System) -> Left:
    """Groups that have not read everything, retry topics and dead letters included."""
    bootstrap = system.stack.bootstrap
    async with administering(bootstrap) as admin, consuming(bootstrap) as consumer:
        groups = await groups_of(admin, system.prefix)
        return {f"records for {group}": 1 for group in groups if not await has_read_all(admin, consumer, group)}


async def _untold(system: System) -> Left:
    left: Left = {}
    for standin in STANDINS:
        events = (await system.pull(standin, "webhook-events", "GET"))["events"]
        left[f"webhooks of {standin}"] = sum(event["state"] == "pending" for event in events)
    return left


async def _unheard_of(system: System) -> Left:
    """Charges that payments has not taken up, since no webhook told of them: the next comparison does."""
    charged = {each["order_id"] for each in (await system.pull("polar", "ledger", "GET"))["entries"]}
    async with system.connected("payments") as connection:
        known = {row[0] for row in await connection.fetch(ORDERS)}
    return {"charges": len(charged - known)}
