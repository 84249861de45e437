"""Carries the outbox to Kafka: in order, one relay at work for each database, and never a row deleted before the broker has it.

A crash can only repeat what was sent, never lose it; consumers know repetitions by the event's id.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter

from services.chassis.crash_points import reach
from services.chassis.database import TIMEOUTS, UNREACHABLE
from services.chassis.doorbell import CHANNEL
from services.chassis.outbox_queue import Batch, Queue
from services.chassis.sending import Sender
from services.chassis.settings import Settings
from services.chassis.waiting import happens

log = structlog.get_logger()

POLL_SECONDS = 0.1
"""The net under a lost wake-up."""
STANDBY_SECONDS = 0.5
"""How soon a standby notices that the active relay is gone."""
LOCK = 0x0C0A_57A1
"""The advisory lock of the one active relay; a lock belongs to its database, so services do not meet here."""
GIVE_UP_SECONDS = 5.0
"""How long a relay that was told to stop waits for the broker."""
BEAT_SECONDS = 0.5
"""How often a relay that waits for the broker tells the database that it lives."""
CONNECTION = {
    "idle_in_transaction_session_timeout": "2000",  # ms; four beats: a relay that is stopped, or its host, gives up the lock
    "plan_cache_mode": "force_custom_plan",  # a plan made for a few rows would sort a million of them for each batch
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
"""No time-out cuts the wait for the broker, since a relay that waits beats; one that cannot even do that is cut off.
See `docs/decisions/0021-the-active-relay.md`."""
DATABASE_LOST = (*UNREACHABLE, asyncpg.PostgresError)
"""What a session ends with that is cut, refused or silent: the next one may go well."""

PUBLISHED = Counter("courtside_outbox_published_total", "Events that the broker has acknowledged", ["topic"])

TRY_LOCK = "SELECT pg_try_advisory_xact_lock($1)"
DELETE = "DELETE FROM outbox WHERE seq = ANY($1)"


@dataclass
class Relay:
    settings: Settings
    dsn: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: list[int] = field(default_factory=list)
    """Rows that are on Kafka and perhaps still in the outbox, since no commit that deletes them is certain."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until told to stop. Comes back by itself from an outage of the database or the broker."""
        sender = await Sender.start(self.settings, stopping)
        if sender is None:
            return
        working = asyncio.create_task(self._work(sender, stopping))
        told = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait([working, told], return_when=asyncio.FIRST_COMPLETED)
            # A broker that is away would hold the batch, and us, for ever; its rows stay where they are.
            await asyncio.wait([working], timeout=GIVE_UP_SECONDS)
            if working.done():
                await working
        finally:
            working.cancel()
            told.cancel()
            await sender.stop()

    async def _work(self, sender: Sender, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self._session(sender, stopping)
            except DATABASE_LOST as error:
                log.warning("relay lost its database", error=type(error).__name__)
                await happens(stopping, 1.0)

    async def _session(self, sender: Sender, stopping: asyncio.Event) -> None:
        """One connection's life: it listens for wake-ups, and holds the lock batch by batch."""
        name = {"application_name": f"{self.settings.service}-relay"}
        connection = await asyncpg.connect(self.dsn, server_settings=CONNECTION | name, **TIMEOUTS)
        queue = Queue()
        try:
            await connection.add_listener(CHANNEL, lambda *_: self.woken.set())
            while not stopping.is_set():
                self.woken.clear()
                batch = await self._publish_batch(connection, sender, queue)
                if batch is None:
                    await happens(stopping, STANDBY_SECONDS)
                elif not batch.is_full:
                    await happens(self.woken, POLL_SECONDS)
        finally:
            connection.terminate()

    async def _publish_batch(self, connection: asyncpg.Connection[Any], sender: Sender, queue: Queue) -> Batch | None:
        """Send the oldest rows and delete them; `None` when another relay is at work.

        What fails ends the session, and that is the rollback: to ask a silent database for one would be to wait for ever.
        """
        transaction, batch = connection.transaction(), None
        await transaction.start()
        if await connection.fetchval(TRY_LOCK, LOCK):
            batch = await self._carry(connection, sender, queue)
        await transaction.commit()
        if batch is not None:
            self.acknowledged = []
        if batch and batch.rows:
            reach("relay.committed")
        return batch

    async def _carry(self, connection: asyncpg.Connection[Any], sender: Sender, queue: Queue) -> Batch:
        if self.acknowledged:
            await connection.execute(DELETE, self.acknowledged)
        batch = await queue.oldest(connection)
        if batch.rows:
            await self._deliver(connection, sender, batch)
            reach("relay.sent")
            await connection.execute(DELETE, batch.numbers)
            reach("relay.deleted")
            queue.passes(batch)
        return batch

    async def _deliver(self, connection: asyncpg.Connection[Any], sender: Sender, batch: Batch) -> None:
        """Until the broker has every row of the batch, whatever becomes of our session meanwhile.

        What the producer has taken it will send; to leave it and begin anew would send everything twice.
        """
        reach("relay.read")
        sending = asyncio.create_task(sender.send(batch.rows))
        try:
            while not (await asyncio.wait([sending], timeout=BEAT_SECONDS))[0]:
                await connection.execute("SELECT 1")
        except asyncio.CancelledError:
            sending.cancel()
            raise
        finally:
            if not sending.cancelling():
                await sending
                self._note(batch)

    def _note(self, batch: Batch) -> None:
        self.acknowledged = [*self.acknowledged, *batch.numbers]
        for row in batch.rows:
            PUBLISHED.labels(row["aggregatetype"]).inc()
