"""The consumers of docs/consumers, as another team runs them: on the real broker, with the events of real bookings."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from courtside_contracts.topics import BOOKING_EVENTS
from deploy import tokens
from deploy.local.environment import ROOT
from deploy.player import Player, Urls, free_slots
from services.booking.venues.seed import VENUE_ID
from tests.e2e.conftest import System
from tests.node import beside_the_packages, node

EXAMPLES = ROOT / "docs" / "consumers"
CANCELLABLE_DAYS = 3
"""So far ahead a player may still cancel, at any hour of the day."""
GIVE_UP_SECONDS = 60.0

Record: TypeAlias = "ConsumerRecord[bytes, bytes]"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    deadline = asyncio.get_running_loop().time() + GIVE_UP_SECONDS
    while not await condition():
        assert asyncio.get_running_loop().time() < deadline, f"not in time: {what}"
        await asyncio.sleep(0.05)


async def play(system: System) -> None:
    """Two bookings that stand, one that is cancelled, one that is only held."""
    installation = system.stack.installation
    urls = Urls(*(installation.url(part) for part in ("booking", "polar", "resend")))
    slots = await free_slots(system.client, urls.booking, str(VENUE_ID), 8, CANCELLABLE_DAYS)
    for ending in ("paid", "paid", "cancelled", "held"):
        email = f"player-{uuid4().hex}@example.com"
        player = Player(system.client, urls, email, tokens.mint(installation.paths.keys, email, "Ana Ruiz"))
        booking_id, _ = await player.hold(slots)
        if ending != "held":
            await player.pay(await player.open_checkout(booking_id))
            await player.await_confirmation(booking_id)
        if ending == "cancelled":
            headers = {"Authorization": f"Bearer {player.token}", "Idempotency-Key": str(uuid4())}
            answer = await system.client.post(
                f"{urls.booking}/v1/bookings/{booking_id}/cancel", json={}, headers=headers
            )
            assert answer.status_code == 200, answer.text


@dataclass
class Stream:
    """A topic of its own with the very records of the real bookings, so that repetitions disturb nobody else."""

    bootstrap: str
    topic: str
    records: list[Record]

    async def publish(self, records: list[Record]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap)
        async with producer:
            for record in records:
                await producer.send_and_wait(
                    self.topic, record.value, key=record.key, headers=list(record.headers), partition=record.partition
                )

    async def is_read_by(self, group: str) -> bool:
        """Whether the group has committed the end of every partition."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            committed = await admin.list_consumer_group_offsets(group)
        finally:
            await admin.close()
        ends = await self._ends()
        return all(end in (0, getattr(committed.get(spot), "offset", 0)) for spot, end in ends.items())

    async def _ends(self) -> dict[TopicPartition, int]:
        async with AIOKafkaConsumer(bootstrap_servers=self.bootstrap) as consumer:
            spots = [TopicPartition(self.topic, number) for number in range(BOOKING_EVENTS.partitions)]
            return dict(await consumer.end_offsets(spots))

    def newest(self) -> dict[str, dict[str, Any]]:
        """By booking: its last state, told from the records alone."""
        told = sorted((json.loads(record.value) for record in self.records), key=lambda booking: booking["version"])
        return {booking["booking_id"]: booking for booking in told}

    def confirmed(self) -> dict[str, int]:
        """By court: the sum of what was confirmed."""
        sums: dict[str, int] = {}
        for record in self.records:
            if dict(record.headers)["ce_type"] == b"booking.confirmed.v1":
                booking = json.loads(record.value)
                sums[booking["court_name"]] = sums.get(booking["court_name"], 0) + booking["price_minor"]
        return sums


async def everything_on(bootstrap: str, topic: str) -> list[Record]:
    found: list[Record] = []
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        spots = [TopicPartition(topic, number) for number in range(BOOKING_EVENTS.partitions)]
        consumer.assign(spots)
        ends = sum((await consumer.end_offsets(spots)).values())
        while len(found) < ends:
            batches = await consumer.getmany(timeout_ms=200)
            found += [record for batch in batches.values() for record in batch]
    return found


@pytest.fixture(scope="module")
async def stream(system: System, new_topics: Callable[[], Awaitable[tuple[str, str]]]) -> Stream:
    await play(system)
    bootstrap, prefix = await new_topics()
    records = await everything_on(bootstrap, system.stack.installation.topic_prefix + BOOKING_EVENTS.name)
    return Stream(bootstrap, prefix + BOOKING_EVENTS.name, records)


@contextlib.asynccontextmanager
async def running(
    *command: str, stream: Stream, output: Path, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    told = {**os.environ, "KAFKA": stream.bootstrap, "TOPIC": stream.topic, **environment}
    with output.open("ab") as written:
        consumer = await asyncio.create_subprocess_exec(
            *command, env=told, stdout=written, stderr=asyncio.subprocess.STDOUT
        )
    try:
        yield consumer
        assert consumer.returncode is None, f"the consumer ended: {end_of(output)}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            consumer.send_signal(signal.SIGKILL)  # at any moment: that is the promise
        await consumer.wait()


def end_of(log: Path) -> str:
    return log.read_text()[-2000:]


def rows(database: Path, query: str) -> dict[Any, Any]:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(query).fetchall())


async def feed(group: str, *command: str, stream: Stream, output: Path, **environment: str) -> None:
    """The story, a kill, the story again and backwards, a kill, and once more with no record left to read."""
    await stream.publish(stream.records)
    repetitions: list[list[Record]] = [[], stream.records, stream.records[::-1]]
    for again in repetitions:
        async with running(*command, stream=stream, output=output, **environment):
            await stream.publish(again)
            await until(lambda: stream.is_read_by(group), f"{group} has read all: {end_of(output)}")


async def test_the_story_is_one_worth_telling(stream: Stream) -> None:
    assert {booking["status"] for booking in stream.newest().values()} >= {"held", "confirmed", "cancelled"}
    assert len(stream.records) > len(stream.newest())


async def test_the_diary_shows_each_booking_as_it_is_now(stream: Stream, tmp_path: Path) -> None:
    diary = tmp_path / "diary.sqlite"
    command = (sys.executable, str(EXAMPLES / "diary.py"))
    await feed("diary", *command, stream=stream, output=tmp_path / "log", DIARY=str(diary))
    kept = rows(diary, "SELECT booking_id, booking FROM diary")
    assert {booking_id: json.loads(booking) for booking_id, booking in kept.items()} == stream.newest()


async def test_the_takings_count_each_confirmation_once(stream: Stream, tmp_path: Path) -> None:
    takings = tmp_path / "takings.sqlite"
    command = (sys.executable, str(EXAMPLES / "takings.py"))
    await feed("takings", *command, stream=stream, output=tmp_path / "log", TAKINGS=str(takings))
    assert rows(takings, "SELECT court, minor FROM takings") == stream.confirmed()


async def test_the_board_never_goes_back(stream: Stream, tmp_path: Path) -> None:
    """In JavaScript. It keeps nothing, so each of its starts must read everything: a fresh group, as it takes by default."""
    await stream.publish([*stream.records, *stream.records[::-1]])
    group, output = f"board-{uuid4()}", tmp_path / "board"
    script = str(beside_the_packages(EXAMPLES / "board.mjs"))
    async with running(node(), script, stream=stream, output=output, GROUP=group):
        await until(lambda: stream.is_read_by(group), "the board has read all")
    shown = [json.loads(line) for line in output.read_text().splitlines()]
    assert {line["booking_id"]: line["version"] for line in shown} == {
        booking_id: booking["version"] for booking_id, booking in stream.newest().items()
    }
    assert len({(line["booking_id"], line["version"]) for line in shown}) == len(shown), "a version was shown twice"
    free = {line["booking_id"] for line in shown if not line["taken"]}
    assert free == {booking_id for booking_id, booking in stream.newest().items() if booking["status"] == "cancelled"}
