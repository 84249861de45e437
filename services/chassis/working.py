"""The consuming half of a worker: subscribers over the main topics and each retry tier, from the broker's first answer to the drain."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from services.chassis.consuming import LANES, Consumers, ForwarderFailed, Pipeline
from services.chassis.dead_letters import consumers as desk
from services.chassis.retrying import Ladder
from services.chassis.settings import Settings
from services.chassis.subscribing import Subscription, make_broker
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.chassis.waiting import happens

log = structlog.get_logger()

PROVIDER_BATCH, DATABASE_BATCH = LANES, 500
"""Records of one batch, so that it ends within the drain: one round of provider calls, all at once, or rows of one transaction."""
RESTART_SECONDS = 1.0


async def consume(
    settings: Settings,
    consumers: Consumers,
    unit_of_work: UnitOfWorkFactory,
    stopping: asyncio.Event,
    started: asyncio.Event,
) -> None:
    """Start when the broker answers, then work until told to stop; what runs by then is finished and committed."""
    if not consumers.topics:
        await stopping.wait()
    ladder = Ladder(settings.service).with_delays(settings.retry_delays)
    while not stopping.is_set():
        pipeline = Pipeline(settings, consumers, unit_of_work, ladder)
        broker = make_broker(settings.kafka_bootstrap, settings.service)
        _subscribe(broker, settings, consumers, pipeline, ladder, stopping)
        _mirror(broker, settings, unit_of_work, ladder, stopping)
        try:
            await pipeline.start()
            await broker.start()
        except KafkaError as error:
            log.warning("consumers wait for the broker", error=type(error).__name__)
            await happens(stopping, RESTART_SECONDS)
        else:
            started.set()
            await _first(stopping, pipeline.broken)
        finally:
            await broker.stop()
            await pipeline.stop()


async def _first(stopping: asyncio.Event, broken: asyncio.Event) -> None:
    """Until told to stop. Raises when the pipeline cannot go on: the process must end, so that a fresh one begins."""
    waits = [asyncio.create_task(event.wait()) for event in (stopping, broken)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    if broken.is_set():
        raise ForwarderFailed("the producer of retries and dead letters cannot go on")


def _subscribe(
    broker: KafkaBroker,
    settings: Settings,
    consumers: Consumers,
    pipeline: Pipeline,
    ladder: Ladder,
    stopping: asyncio.Event,
) -> None:
    """The main topics in one group, and each tier in a group of its own, so that their rebalances keep apart."""
    prefix = settings.topic_prefix
    max_records = PROVIDER_BATCH if consumers.calling_out else DATABASE_BATCH
    main = [prefix + topic.name for topic in consumers.topics]
    Subscription(
        broker, main, prefix + settings.service, pipeline.handle_batch, stopping=stopping, max_records=max_records
    )
    for tier in ladder.tiers:
        name = prefix + ladder.topic(tier)
        Subscription(
            broker, [name], name, pipeline.handle_batch, stopping=stopping, max_records=max_records, delay=tier.delay
        )


def _mirror(
    broker: KafkaBroker,
    settings: Settings,
    unit_of_work: UnitOfWorkFactory,
    ladder: Ladder,
    stopping: asyncio.Event,
) -> None:
    """The service's dead letters into its database: in a group of its own too, named like the topic."""
    name = settings.topic_prefix + ladder.dead_letters
    mirror = desk.Mirror(unit_of_work, settings.topic_prefix)
    Subscription(broker, [name], name, mirror.handle_batch, stopping=stopping, max_records=desk.BATCH)
