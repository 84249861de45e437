"""The three services without their processes: each with its own database, its real consumers and jobs, and workers that live and die.

What stands here is what `services/chassis/service.py` and `working.py` put together in a process; what the network and the timers do
there, the plan does here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import asyncpg

from services.chassis.attempts import Attempts
from services.chassis.consuming import Consumers
from services.chassis.crons import Periodic
from services.chassis.dead_letters.consumers import Mirror
from services.chassis.doorbell import Doorbell
from services.chassis.outbox_queue import Queue
from services.chassis.pipeline import Pipeline
from services.chassis.relay import Relay
from services.chassis.retrying import Ladder
from services.chassis.sending import Sender
from services.chassis.service import Chassis
from services.chassis.settings import Settings
from services.chassis.subscribing import Record
from tests.simulation.groups import Group, groups_of
from tests.simulation.memory_log import MemoryLog, MemoryProducer, Place, due_at
from tests.simulation.pinning import Chance, SimulatedClock
from tests.simulation.stepped import SteppedDatabase, SteppedUnitOfWork
from tests.simulation.turns import Process, checkpoint, reach

WORKERS = 2
POOL = 3
"""One statement at a time, but for a relay's."""


@dataclass
class Tools:
    """What all offices share."""

    clock: SimulatedClock
    chance: Chance
    log: MemoryLog
    producer: MemoryProducer


Build = Callable[[], tuple[Consumers, Sequence[Periodic]]]
"""Of one process: what it remembers, such as its breaker, dies with it."""


@dataclass
class Worker:
    process: Process
    pipeline: Pipeline
    mirror: Mirror
    relay: Relay
    queue: Queue
    crons: dict[str, Periodic]


@dataclass
class Office:
    chassis: Chassis
    tools: Tools
    build: Build
    sender: Sender
    groups: tuple[Group, ...] = ()
    lines: list[asyncpg.Connection[Any]] = field(default_factory=list)
    """One for each worker's relay."""
    workers: list[Worker] = field(default_factory=list)
    api: Process = field(init=False)
    generation: int = 0
    """Of the assignment of partitions: it changes when a worker comes or goes, and nobody commits for an older one."""

    @classmethod
    async def open(cls, settings: Settings, tools: Tools, build: Callable[[Chassis], Build]) -> Office:
        database, dsn = await SteppedDatabase.open(settings), settings.database_url.get_secret_value()
        database.engine.pool._pre_ping = False  # nothing ends these connections
        doorbell = Doorbell(dsn)
        unit_of_work = SteppedUnitOfWork(database, tools.clock, doorbell.ring)
        chassis = Chassis(settings, database, tools.clock, unit_of_work, doorbell)
        office = cls(chassis, tools, build(chassis), Sender(cast("Any", tools.producer), ""))
        office.lines = [await asyncpg.connect(dsn) for _ in range(WORKERS)]
        return office

    async def close(self) -> None:
        for line in self.lines:
            await line.close()
        await self.chassis.database.close()

    @property
    def name(self) -> str:
        return self.chassis.settings.service

    def start_over(self) -> None:
        self.generation = 0
        self.chassis.doorbell.rung.clear()
        self.start_api()
        self.workers = [self._new_worker(number) for number in range(WORKERS)]

    def start_api(self) -> None:
        self.api = Process(f"{self.name} api")

    def start_again(self, process: Process) -> None:
        """In the place of one that died."""
        if process is self.api:
            self.start_api()
        for number, worker in enumerate(self.workers):
            if worker.process is process:
                self.workers[number] = self._new_worker(number)
                self.generation += 1
        self.chassis.doorbell.ring()

    @property
    def has_something_to_say(self) -> bool:
        """The doorbell was rung, and no relay has looked since."""
        return self.chassis.doorbell.rung.is_set()

    @property
    def processes(self) -> list[Process]:
        return [self.api, *(worker.process for worker in self.workers)]

    def worker_at(self, place: Place) -> Worker:
        return self.workers[(place[1] + self.generation) % WORKERS]

    def _new_worker(self, number: int) -> Worker:
        consumers, crons = self.build()
        settings, unit_of_work = self.chassis.settings, self.chassis.unit_of_work
        ladder = Ladder(self.name)
        self.groups = tuple(groups_of(consumers, ladder))
        pipeline = Pipeline(settings, consumers, unit_of_work, ladder)
        pipeline.forwarder.producer = self.tools.producer
        pipeline._attempts = Attempts(self.chassis.database, self.tools.chance.uuid4())
        relay = Relay(settings, settings.database_url.get_secret_value())
        jobs = {cron.name: cron for cron in crons if not cron.name.startswith("purge")}
        return Worker(Process(f"{self.name} worker {number}"), pipeline, Mirror(unit_of_work, ""), relay, Queue(), jobs)

    # What a worker does

    async def publish(self, worker: Worker) -> None:
        """One pass of its relay."""
        line, doorbell = self.lines[self.workers.index(worker)], self.chassis.doorbell
        doorbell.rung.clear()
        try:
            if await worker.relay._publish_batch(line, self.sender, worker.queue) is None:
                doorbell.ring()  # another one is at work, and did not see what is new
        except BaseException:
            cast("Any", line)._top_xact = None  # for the connection to begin anew, as a new one would
            await line.execute("ROLLBACK")
            raise

    async def consume(self, worker: Worker, group: Group, place: Place, records: Sequence[Record]) -> None:
        """One batch, and its offset, unless the partition was given to another one meanwhile."""
        generation = self.generation
        await (worker.mirror if group.is_mirror else worker.pipeline).handle_batch(records)
        reach("batch.handled")
        await checkpoint("commit of offsets")
        if self.generation == generation:
            self.tools.log.commit(group.name, place, records[-1].offset + 1)
        reach("offsets.committed")

    def ready(self, group: Group, place: Place) -> list[Record]:
        """What is next there, as far as it is due."""
        records = self.tools.log.after(group.name, place, group.batch)
        now = self.tools.clock.now().timestamp()
        late = (number for number, record in enumerate(records) if due_at(record, group.delay_seconds) > now)
        return records[: next(late, len(records))] if group.delay_seconds else records

    def next_due(self) -> float | None:
        """Seconds since 1970; None when nothing waits on a retry tier."""
        log, tiers = self.tools.log, [group for group in self.groups if group.delay_seconds]
        heads = (
            (due_at(record, group.delay_seconds))
            for group in tiers
            for place in log.places(group.topics)
            for record in log.after(group.name, place, 1)
        )
        return min(heads, default=None)
