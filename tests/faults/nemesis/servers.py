"""Faults of the database server and the broker, and of what is done there behind the services' backs."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg

from tests.faults.nemesis.storm import Details, Storm
from tests.faults.plan.plan import Fault

CONNECTIONS = 150
"""As many as the server takes at all."""


async def postgres_crash(storm: Storm, fault: Fault) -> Details:
    """`pg_ctl stop -m immediate`: no checkpoint, no farewell; the log is replayed."""
    await storm.postgres_crashes()
    await storm.postgres_starts()
    return {}


async def postgres_restart(storm: Storm, fault: Fault) -> Details:
    """`pg_ctl restart -m fast`: everybody is thrown out, in the middle of whatever they do."""
    await storm.system.stack.stop("postgres")
    await storm.postgres_starts()
    return {}


async def connections_terminated(storm: Storm, fault: Fault) -> Details:
    """All of one service, its relay's among them."""
    ended = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
    )
    connection = await storm.system.stack.postgres.connect()
    try:
        return {"connections": await connection.fetchval(ended, storm.system.stack.installation.database(fault.target))}
    finally:
        connection.terminate()


async def connections_exhausted(storm: Storm, fault: Fault) -> Details:
    """Somebody's script takes every connection that is left."""
    url = storm.system.database_url("booking")
    opened = await asyncio.gather(
        *(asyncpg.connect(url, timeout=5) for _ in range(CONNECTIONS)), return_exceptions=True
    )
    connections = [each for each in opened if isinstance(each, asyncpg.Connection)]
    await asyncio.sleep(fault.arguments["seconds"])
    for connection in connections:
        connection.terminate()
    return {"connections": len(connections)}


async def idle_in_transaction(storm: Storm, fault: Fault) -> Details:
    """Somebody has looked at the outbox in a transaction, locked what they saw, and went for a coffee."""
    seen = "SELECT seq FROM outbox ORDER BY seq LIMIT 50 FOR UPDATE"
    return {"locked": await _locked(storm, fault.target, seen, fault.arguments["seconds"])}


async def rows_locked(storm: Storm, fault: Fault) -> Details:
    """The newest bookings, in the order that is not the service's: whoever waits for one of them may be waited for."""
    newest = "SELECT id FROM bookings ORDER BY created_at DESC LIMIT 50 FOR UPDATE"
    return {"locked": await _locked(storm, "booking", newest, fault.arguments["seconds"])}


async def broker_kill(storm: Storm, fault: Fault) -> Details:
    await storm.system.stack.kill("kafka")
    await storm.system.stack.start_kafka()
    return {}


async def broker_stop(storm: Storm, fault: Fault) -> Details:
    await storm.system.stack.stop("kafka")
    await asyncio.sleep(fault.arguments["seconds"])
    await storm.system.stack.start_kafka()
    return {}


async def broker_freeze(storm: Storm, fault: Fault) -> Details:
    with storm.system.stack.suspended("kafka"):
        await asyncio.sleep(fault.arguments["seconds"])
    return {}


async def _locked(storm: Storm, service: str, statement: str, seconds: float) -> int:
    """How many rows were held for so long; the server may lose patience before."""
    locked = 0
    with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
        async with storm.system.connected(service) as connection:
            transaction = connection.transaction()
            await transaction.start()
            locked = len(await connection.fetch(statement))
            await asyncio.sleep(seconds)
            await transaction.rollback()
    return locked
