"""The consuming half of a worker: subscribers over the main topics and each retry tier, from the broker's first answer to the drain."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from services.chassis.consuming import Consumers, Pipeline
from services.chassis.retrying import Ladder, in_place
from services.chassis.settings import Settings
from services.chassis.subscribing import Subscription, make_broker
from services.chassis.unit_of_work import UnitOfWorkFactory

log = structlog.get_logger()

PROVIDER_BATCH, DATABASE_BATCH = 32, 500
"""Records of one batch, so that it ends well within the drain: 16 provider calls at once, or rows of one transaction."""
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
        try:
            await pipeline.start()
            await broker.start()
        except KafkaError as error:
            log.warning("consumers wait for the broker", error=type(error).__name__)
            await in_place(stopping, RESTART_SECONDS)
        else:
            started.set()
            await stopping.wait()
        finally:
            await broker.stop()
            await pipeline.stop()


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
