"""The live watch: while the run goes on, once a second, what must hold at every instant, and where each worker's line has come to.

A source that a fault has taken away is left out of that second's line; it says nothing about the product.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import asyncpg
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.faults.checker.history import Sample
from tests.faults.checker.reading import READINGS
from tests.faults.checker.running import Run
from tests.faults.checker.topics import partitions

EVERY_SECONDS = 1.0
PATIENCE_SECONDS = 5.0
Look: TypeAlias = Callable[[Run], Awaitable[Sample]]
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, KafkaError)

OVERLAPS = """
SELECT a.court_id::text, a.id AS one, b.id AS other FROM court_occupancy a
JOIN court_occupancy b ON a.id < b.id AND a.court_id = b.court_id AND a.during && b.during
"""
TOO_MANY = """
SELECT user_id::text, count(*) FROM bookings WHERE status = 'held' AND hold_expires_at > now() OR status = 'confirmed' AND ends_at > now()
GROUP BY user_id HAVING count(*) > $1
"""
OLDEST = "SELECT min(seq) FROM outbox"
ALONE = 'SELECT topic, max("offset") AS reached FROM delivery_attempts WHERE alone GROUP BY topic'
"""Who goes carefully through a batch commits nothing for a while, and says here where it is."""


async def watch(run_folder: Path, stop: asyncio.Event) -> None:
    """Writes `live.jsonl` until told to stop. Needs `run.json` with the addresses; raises `CouldNotCheck` without it."""
    run = Run.read(run_folder)
    with (run_folder / "live.jsonl").open("a") as file:
        async with asyncio.TaskGroup() as looking:
            for look in (_one_player_a_court, _fronts):
                looking.create_task(_look_again_and_again(look, run, file, stop))


async def _look_again_and_again(look: Look, run: Run, file: TextIO, stop: asyncio.Event) -> None:
    """Each by itself: the broker's answers take their time, and what must hold at every instant is looked at every second."""
    while not stop.is_set():
        file.write((await look(run)).line() + "\n")
        file.flush()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), EVERY_SECONDS)


async def _one_player_a_court(run: Run) -> Sample:
    at = datetime.now(UTC)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS), _connected(run.databases["booking"]) as connection:
            overlaps = await connection.fetch(OVERLAPS)
            too_many = await connection.fetch(TOO_MANY, run.rules.max_active_bookings)
    except AWAY as error:
        return Sample("I1", at, state={"away": type(error).__name__})
    found = [{"what": "overlap", **row} for row in overlaps]
    found += [{"what": "too many active bookings", **row} for row in too_many]
    return Sample("I1", at, tuple(found), {"looked": True})


async def _fronts(run: Run) -> Sample:
    """Of each relay and each group that has work waiting, what is first in its line."""
    at, away = datetime.now(UTC), list[str]()
    fronts, alone = dict[str, object](), dict[str, int]()
    for service, url in run.databases.items():
        try:
            async with asyncio.timeout(PATIENCE_SECONDS), _connected(url) as connection:
                if (oldest := await connection.fetchval(OLDEST)) is not None:
                    fronts[f"{service} relay"] = oldest
                alone |= {row["topic"]: row["reached"] for row in await connection.fetch(ALONE)}
        except AWAY as error:
            away.append(f"{service}: {type(error).__name__}")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            fronts |= await _groups_behind(run, alone)
    except AWAY as error:
        away.append(f"kafka: {type(error).__name__}")
    return Sample("I13", at, state={"fronts": fronts, "away": away})


async def _groups_behind(run: Run, alone: Mapping[str, int]) -> dict[str, object]:
    """By group, how many records it has committed in all, and what it has come to carefully: where neither moves, nobody works."""
    prefix, behind = run.topic_prefix, dict[str, object]()
    async with _broker(run.kafka) as (admin, consumer):
        places = await partitions(admin, prefix)
        ends: Mapping[Any, int] = await consumer.end_offsets(places)
        for group in sorted({one.group for one in READINGS}):
            topics = {prefix + one.topic for one in READINGS if one.group == group}
            told = await admin.list_consumer_group_offsets(prefix + group)
            reached = {place: max(0, offset.offset) for place, offset in told.items()}
            mine = [place for place in places if place.topic in topics]
            if sum(ends[place] - reached.get(place, 0) for place in mine) > 0:
                carefully = {topic: alone[topic] for topic in sorted(topics & alone.keys())}
                behind[f"{group} group"] = [sum(reached.get(place, 0) for place in mine), carefully]
    return behind


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await asyncpg.connect(url, timeout=PATIENCE_SECONDS)
    try:
        yield connection
    finally:
        connection.terminate()


@asynccontextmanager
async def _broker(bootstrap: str) -> AsyncIterator[tuple[AIOKafkaAdminClient, AIOKafkaConsumer]]:
    admin, consumer = AIOKafkaAdminClient(bootstrap_servers=bootstrap), AIOKafkaConsumer(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        await consumer.start()
        yield admin, consumer
    finally:
        await admin.close()
        await consumer.stop()
