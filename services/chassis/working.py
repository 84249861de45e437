"""The consuming half of a worker: subscribers over the main topics and each retry tier, from the broker's first answer to the drain."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

import structlog
from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker

from services.chassis.clock import Clock
from services.chassis.consuming import LANES, Consumers
from services.chassis.dead_letters import consumers as desk
from services.chassis.isolating import Faults
from services.chassis.kafka import client
from services.chassis.pipeline import Pipeline
from services.chassis.retrying import Ladder
from services.chassis.settings import Settings
from services.chassis.subscribing import Subscription, make_broker
from services.chassis.unit_of_work import UnitOfWorkFactory
from services.chassis.waiting import happens
from services.chassis.watching import watch

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
    stalled: asyncio.Event,
    faults: Faults | None = None,
) -> None:
    """Start when the broker answers, then work until told to stop; what runs by then is finished and committed.

    Raises when it cannot go on: the process must end, so that a fresh one begins.
    """
    if not consumers.topics:
        await stopping.wait()
    faults = faults or Faults()
    ladder = Ladder(settings.service).with_delays(settings.retry_delays)
    while not stopping.is_set():
        pipeline = Pipeline(settings, consumers, unit_of_work, ladder)
        broker = make_broker(client(settings), settings.service)
        subscriptions = _subscribe(broker, settings, consumers, pipeline, ladder, stopping, faults, unit_of_work.clock)
        subscriptions.append(_mirror(broker, settings, unit_of_work, ladder, stopping, faults))
        try:
            await pipeline.forwarder.start()
            await broker.start()
        except KafkaError as error:
            log.warning("consumers wait for the broker", error=type(error).__name__)
            await happens(stopping, RESTART_SECONDS)
        else:
            started.set()
            await _first(stopping.wait(), pipeline.forwarder.cannot_go_on(), watch(settings, subscriptions, stalled))
        finally:
            await broker.stop()
            await pipeline.forwarder.stop()


async def _first(*ways_to_end: Coroutine[Any, Any, object]) -> None:
    """Until one of them ends; raises what it raised."""
    waits = [asyncio.create_task(way) for way in ways_to_end]
    try:
        done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    for wait in done:
        wait.result()


def _subscribe(
    broker: KafkaBroker,
    settings: Settings,
    consumers: Consumers,
    pipeline: Pipeline,
    ladder: Ladder,
    stopping: asyncio.Event,
    faults: Faults,
    clock: Clock,
) -> list[Subscription]:
    """The main topics in one group, those of projections in a second, those that are paced in a third, and each tier in one of its own:
    their rebalances keep apart.
    """
    subscribe = partial(
        Subscription, broker, handle_batch=pipeline.handle_batch, stopping=stopping, faults=faults, clock=clock
    )
    prefix, group = settings.topic_prefix, settings.topic_prefix + settings.service
    groups = {
        group: consumers.main_topics,
        f"{group}.projections": consumers.projected_topics,
        f"{group}.paced": consumers.paced,
    }
    subscriptions = [
        subscribe(
            [prefix + topic.name for topic in topics], name, max_records=_batch(calls=consumers.call_out_on(topics))
        )
        for name, topics in groups.items()
        if topics
    ]
    calls = bool(consumers.calling_out)
    for tier in ladder.tiers:
        name = prefix + ladder.topic(tier)
        subscriptions.append(subscribe([name], name, max_records=_batch(calls=calls), delay=tier.delay))
    return subscriptions


def _batch(*, calls: bool) -> int:
    return PROVIDER_BATCH if calls else DATABASE_BATCH


def _mirror(
    broker: KafkaBroker,
    settings: Settings,
    unit_of_work: UnitOfWorkFactory,
    ladder: Ladder,
    stopping: asyncio.Event,
    faults: Faults,
) -> Subscription:
    """The service's dead letters into its database: in a group of its own too, named like the topic."""
    name = settings.topic_prefix + ladder.dead_letters
    mirror = desk.Mirror(unit_of_work, settings.topic_prefix)
    return Subscription(
        broker,
        [name],
        name,
        mirror.handle_batch,
        stopping=stopping,
        faults=faults,
        clock=unit_of_work.clock,
        max_records=desk.BATCH,
    )
