"""Carries the outbox to Kafka: in order, one relay at work for each database, and never a row deleted before the broker has it.

A crash can only repeat what was sent, never lose it; consumers know repetitions by the event's id.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from prometheus_client import Counter

from courtside_contracts.topics import FAILURE_HEADERS_MAX_BYTES, RECORD_MAX_BYTES
from services.chassis.crash_points import reach
from services.chassis.kafka import client
from services.chassis.outbox import on_the_wire
from services.chassis.outbox_queue import Batch, Queue
from services.chassis.settings import Settings
from services.chassis.waiting import happens, to_its_end

log = structlog.get_logger()

POLL_SECONDS = 0.1
"""The net under a lost wake-up."""
STANDBY_SECONDS = 0.5
"""How soon a standby notices that the active relay is gone."""
LOCK = 0x0C0A_57A1
"""The advisory lock of the one active relay; a lock belongs to its database, so services do not meet here."""
CHANNEL = "courtside_outbox"
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

PUBLISHED = Counter("courtside_outbox_published_total", "Events that the broker has acknowledged", ["topic"])


DELETE = "DELETE FROM outbox WHERE seq = ANY($1)"


class RelayFailed(Exception):
    """The producer cannot go on, and one rebuilt beside it would send old events behind newer ones: the process must end."""


@dataclass
class Relay:
    settings: Settings
    dsn: str
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    acknowledged: list[int] = field(default_factory=list)
    """Rows that are on Kafka and perhaps still in the outbox, since our session was cut before it could delete them."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until told to stop. Comes back by itself from an outage of the database or the broker."""
        producer = await self._start_producer(stopping)
        if producer is None:
            return
        working = asyncio.create_task(self._work(producer, stopping))
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
            # `stop` flushes, and hangs when the broker is away: what it could not send is still in the outbox.
            with contextlib.suppress(TimeoutError, KafkaError):
                await asyncio.wait_for(producer.stop(), 2.0)

    async def _work(self, producer: AIOKafkaProducer, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await self._session(producer, stopping)
            except RelayFailed:
                raise
            except Exception as error:  # noqa: BLE001 - a connection that is cut fails in many ways, and none of them is the end
                log.warning("relay lost its database", error=type(error).__name__)
                await happens(stopping, 1.0)

    async def _session(self, producer: AIOKafkaProducer, stopping: asyncio.Event) -> None:
        """One connection's life: it listens for wake-ups, and holds the lock batch by batch."""
        name = {"application_name": f"{self.settings.service}-relay"}
        connection = await asyncpg.connect(self.dsn, server_settings=CONNECTION | name)
        queue = Queue()
        try:
            await connection.add_listener(CHANNEL, lambda *_: self.woken.set())
            while not stopping.is_set():
                self.woken.clear()
                batch = await self._publish_batch(connection, producer, queue)
                if batch is None:
                    await happens(stopping, STANDBY_SECONDS)
                elif not batch.is_full:
                    await happens(self.woken, POLL_SECONDS)
        finally:
            connection.terminate()

    async def _publish_batch(
        self, connection: asyncpg.Connection[Any], producer: AIOKafkaProducer, queue: Queue
    ) -> Batch | None:
        """Send the oldest rows and delete them; `None` when another relay is at work."""
        async with connection.transaction():
            if not await connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", LOCK):
                return None
            if self.acknowledged:
                await connection.execute(DELETE, self.acknowledged)
            batch = await queue.oldest(connection)
            if batch.rows:
                await self._deliver(connection, producer, batch)
                reach("relay.sent")
                await connection.execute(DELETE, batch.numbers)
                reach("relay.deleted")
                queue.passes(batch)
        self.acknowledged = []
        if batch.rows:
            reach("relay.committed")
        for row in batch.rows:
            PUBLISHED.labels(row["aggregatetype"]).inc()
        return batch

    async def _deliver(self, connection: asyncpg.Connection[Any], producer: AIOKafkaProducer, batch: Batch) -> None:
        """Until the broker has every row of the batch, whatever becomes of our session meanwhile.

        What the producer has taken it will send; to leave it and begin anew would send everything twice.
        """
        reach("relay.read")
        sending = asyncio.create_task(self._send(producer, batch.rows))
        try:
            while not (await asyncio.wait([sending], timeout=BEAT_SECONDS))[0]:
                await connection.execute("SELECT 1")
        except asyncio.CancelledError:
            sending.cancel()
            raise
        finally:
            if not sending.cancelling():
                await sending
                self.acknowledged = batch.numbers

    async def _send(self, producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]) -> None:
        """In order, then all acknowledgements.

        Without a time-out of our own: an idempotent batch that we gave up would still be sent, and then once more by us.
        """
        try:
            futures = [await self._enqueue(producer, row) for row in rows]
            await asyncio.gather(*futures)
        except KafkaError as error:
            raise RelayFailed(type(error).__name__) from error

    async def _enqueue(self, producer: AIOKafkaProducer, row: asyncpg.Record) -> asyncio.Future[Any]:
        topic = self.settings.topic_prefix + row["aggregatetype"]
        key, headers = on_the_wire(
            id=row["id"],
            type=row["type"],
            aggregateid=row["aggregateid"],
            headers=row["headers"],
            created_at=row["created_at"],
        )
        while True:
            try:
                acknowledged: asyncio.Future[Any] = await producer.send(
                    topic, value=row["payload"], key=key, headers=list(headers)
                )
            except KafkaError as error:  # not queued: no metadata of the topic yet, or the buffer is full
                if not error.retriable:
                    raise
                log.warning("relay waits for the broker", topic=topic, error=type(error).__name__)
            else:
                return acknowledged

    async def _start_producer(self, stopping: asyncio.Event) -> AIOKafkaProducer | None:
        while True:
            producer = AIOKafkaProducer(
                **client(self.settings),
                client_id=f"{self.settings.service}-relay",
                enable_idempotence=True,
                max_request_size=RECORD_MAX_BYTES
                + FAILURE_HEADERS_MAX_BYTES,  # a redriven record has those of its failure
                max_batch_size=131_072,  # some 300 events: a batch of ours is two or three requests
            )
            try:
                await to_its_end(producer.start())
            except KafkaConnectionError:
                await producer.stop()
                log.warning("relay waits for the broker")
                if await happens(stopping, 1.0):
                    return None
            except BaseException:  # refused, or cancelled: what was opened is closed
                await producer.stop()
                raise
            else:
                return producer


@dataclass
class Doorbell:
    """Wakes the relay of this database after a commit: one `NOTIFY` on a connection of its own, however many commits there were.

    Inside the business transaction `NOTIFY` would serialise all commits of the database; a lost ring costs one poll.
    """

    dsn: str
    rung: asyncio.Event = field(default_factory=asyncio.Event)

    def ring(self) -> None:
        self.rung.set()

    async def run(self) -> None:
        while True:
            try:
                connection = await asyncpg.connect(self.dsn, server_settings={"application_name": "doorbell"})
                try:
                    while True:
                        await self.rung.wait()
                        self.rung.clear()
                        await connection.execute(f"NOTIFY {CHANNEL}")
                finally:
                    connection.terminate()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(1.0)
