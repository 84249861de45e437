"""All three databases are lost, and restored from dumps that were made in the middle of a day: what happened since is on the topics."""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from courtside_contracts.topics import BOOKING_EVENTS
from deploy import tokens
from deploy.local.environment import HOST, SERVICES
from deploy.local.postgres import Postgres
from deploy.player import Player, Urls, free_slots
from services.booking.venues.seed import VENUE_ID
from tests.e2e.conftest import NO_PACE, System, finished, running
from tests.e2e.groups import administering, caught_up, groups_of
from tests.ports import free_port
from tests.stack import QUICK, TestStack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]

CANCELLABLE_DAYS = 3
"""So far ahead a player may still cancel, at any hour of the day."""
PATIENCE_SECONDS = 90
BEFORE, MEANWHILE, SINCE = 6, 8, 4
"""Bookings that were complete before the dump, that were under way in it, and that no dump knows."""
BOOKED = "SELECT id, status, version, court_id, starts_at, ends_at, user_id, order_id, price_minor, refunds_due FROM bookings"
OCCUPIED = "SELECT court_id, during, booking_id FROM court_occupancy"


@dataclass
class Club:
    system: System
    postgres: Postgres

    @property
    def stack(self) -> TestStack:
        return self.system.stack

    def url(self, service: str, role: str | None = None) -> str:
        password = self.postgres.password if role else service
        name = self.stack.installation.database(service)
        return f"postgresql://{role or service}:{password}@{HOST}:{self.postgres.port}/{name}"

    def told(self, service: str) -> dict[str, str]:
        changes = {f"{service.upper()}_DATABASE_URL": self.url(service)}
        return changes | (NO_PACE if service == "notifications" else {})

    async def open(self) -> None:
        """The relay of booking is a process of its own."""
        await self.stack.start("booking", "api", **self.told("booking"))
        await self.start_relay()
        await asyncio.gather(
            *(self.stack.start(name, "all", **self.told(name)) for name in ("payments", "notifications"))
        )

    async def start_relay(self) -> None:
        await self.stack.start("booking", "worker", name="booking-worker", **self.told("booking"))

    async def close(self) -> None:
        await asyncio.gather(*(self.stack.stop(name) for name in ("booking-worker", *SERVICES)))

    async def play(self, count: int) -> None:
        result = await finished(await self.system.demo("--count", str(count), "--concurrency", str(count)))
        assert (result["confirmed"], result["charges"], result["mails"]) == (count, count, count)

    async def ask(self, query: str, service: str = "booking") -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.url(service))
        try:
            return sorted((tuple(row) for row in await connection.fetch(query)), key=str)
        finally:
            await connection.close()

    async def waiting(self, service: str = "booking") -> int:
        ((count,),) = await self.ask("SELECT count(*) FROM outbox", service)
        return int(count)

    async def held(self) -> int:
        return len(await self.ask("SELECT id FROM bookings WHERE status = 'held'"))

    async def at_rest(self) -> bool:
        """Polar has told all, and no service has anything left to say."""
        answer = await self.system.client.get(f"{self.stack.installation.url('polar')}/_admin/webhook-events")
        return all(event["state"] != "pending" for event in answer.json()["events"]) and not any(
            [await self.waiting(service) for service in SERVICES]
        )

    async def has_heard_everything(self) -> bool:
        async with administering(self.stack.bootstrap) as admin:
            groups = await groups_of(admin, self.stack.installation.topic_prefix)
            return await caught_up(admin, groups, self.stack.bootstrap)

    async def confirmations(self) -> int:
        """Mails that confirm a booking. What the relay repeats of a hold is mailed again when the dump is older than that mail."""
        answer = await self.system.client.get(f"{self.stack.installation.url('resend')}/_admin/emails")
        kind = {"name": "kind", "value": "booking-confirmed"}
        return sum(kind in mail["tags"] for mail in answer.json()["emails"])


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await condition():  # noqa: ASYNC110 - it is other processes that bring it about
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"not in time: {what}")


async def dump(club: Club, folder: Path) -> None:
    """As docs/operations.md says, one after the other: they are of three different moments."""
    await asyncio.to_thread(folder.mkdir)
    for service in SERVICES:
        await run(
            club.postgres, "pg_dump", "--format=custom", f"--file={folder / service}", club.url(service, "postgres")
        )


async def restore(club: Club, folder: Path) -> Club:
    """Into a cluster that has never been used."""
    postgres = Postgres(club.stack.installation.paths.home / "restored", free_port(), club.postgres.password, QUICK)
    await postgres.prepare(club.stack.processes)
    part = replace(postgres.part(), name="restored-postgres")
    club.stack.processes.start(part)
    await club.stack.processes.until_ready(part)
    restored = Club(club.system, postgres)
    await postgres.ensure_databases({club.stack.installation.database(service): service for service in SERVICES})
    for service in SERVICES:
        await run(
            postgres,
            "pg_restore",
            "--exit-on-error",
            f"--dbname={restored.url(service, 'postgres')}",
            str(folder / service),
        )
    return restored


async def run(postgres: Postgres, program: str, *arguments: str) -> None:
    command = [str(postgres.binary(program)), *arguments]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr[-2000:]


async def catch_up(club: Club, service: str) -> None:
    environment = club.stack.environment(service, **club.told(service))
    await club.stack.run(f"{service}-restored", f"services.{service}", "restored", **environment)


async def cancel_one(club: Club) -> str:
    """Since the dump a player gives a court back, and another takes it."""
    urls = Urls(*(club.stack.installation.url(part) for part in ("booking", "polar", "resend")))
    ana, ben = (
        Player(club.system.client, urls, email, tokens.mint(club.stack.installation.paths.keys, email, "Ana Ruiz"))
        for email in (f"ana-{uuid4().hex}@example.com", f"ben-{uuid4().hex}@example.com")
    )
    slots = await free_slots(club.system.client, urls.booking, str(VENUE_ID), 40, CANCELLABLE_DAYS)
    booking_id, slot = await ana.hold(slots[-1:])
    headers = {"Authorization": f"Bearer {ana.token}", "Idempotency-Key": str(uuid4())}
    answer = await club.system.client.post(f"{urls.booking}/v1/bookings/{booking_id}/cancel", json={}, headers=headers)
    assert answer.status_code == 200, answer.text
    _, again = await ben.hold(slots[-1:])
    assert again == slot
    return booking_id


async def repeated(club: Club) -> int:
    """Records of booking.events beyond the first of each event."""
    topic = club.stack.installation.topic_prefix + BOOKING_EVENTS.name
    seen: Counter[bytes] = Counter()
    async with AIOKafkaConsumer(bootstrap_servers=club.stack.bootstrap, auto_offset_reset="earliest") as consumer:
        spots = [TopicPartition(topic, number) for number in range(BOOKING_EVENTS.partitions)]
        consumer.assign(spots)
        ends = sum((await consumer.end_offsets(spots)).values())
        while sum(seen.values()) < ends:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                seen.update(dict(record.headers)["ce_id"] for record in records)
    return sum(seen.values()) - len(seen)


@pytest.fixture
async def club() -> AsyncIterator[Club]:
    stack = await TestStack.open()
    try:
        await asyncio.gather(stack.start_postgres(), stack.start_kafka())
        async with running(stack, services=()) as system:
            club = Club(system, stack.postgres)
            await club.open()
            yield club
            await club.close()
    finally:
        await stack.kill("restored-postgres")
        await stack.close()


async def test_what_happened_since_the_dump_is_heard_again_and_nothing_happens_twice(
    club: Club, tmp_path: Path
) -> None:
    await club.play(BEFORE)
    await until(club.at_rest, "the morning is over")
    await club.stack.stop("booking-worker")
    afternoon = asyncio.create_task(club.play(MEANWHILE))
    await until(lambda: _are(club.held(), MEANWHILE), "holds wait in the outbox")
    await dump(club, tmp_path / "dumps")
    await club.start_relay()
    await afternoon
    await club.play(SINCE)
    await cancel_one(club)
    await until(club.at_rest, "the day is over")
    await club.close()
    booked, occupied = await club.ask(BOOKED), await club.ask(OCCUPIED)
    charges, mails = await club.system.charges(), await club.confirmations()

    restored = await restore(club, tmp_path / "dumps")
    assert len(await restored.ask(BOOKED)) == BEFORE + MEANWHILE
    for service in SERVICES:
        await catch_up(restored, service)
    assert await restored.ask(BOOKED) == booked
    assert await restored.ask(OCCUPIED) == occupied
    assert await restored.waiting() >= MEANWHILE, "the relay has something to repeat"
    await restored.open()
    await until(restored.at_rest, "the relay has repeated what the dump held")
    await restored.play(2)
    await until(restored.at_rest, "the new bookings' stories are over")
    await until(restored.has_heard_everything, "what was set back was heard again")
    await restored.close()

    assert await repeated(restored) >= MEANWHILE
    assert (await restored.system.charges(), await restored.confirmations()) == (charges + 2, mails + 2)
    kept = {row[0]: row for row in await restored.ask(BOOKED)}
    assert [kept[row[0]] for row in booked] == booked
    for service in SERVICES:
        assert await restored.ask("SELECT * FROM dead_letters", service) == []


async def _are(counted: Awaitable[int], wanted: int) -> bool:
    return await counted >= wanted
