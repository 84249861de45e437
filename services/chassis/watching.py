"""Notices a consumer that does nothing while there is work. aiokafka can sit outside its group for ever, without an error.

Work is a record that our consumer should have read, or one that nobody reads at all. None of these is a stall:

    a retry tier whose first record is not due, a partition at fault       it is paused
    our database is away                                                   batches come, and fail
    a long batch                                                           it is under way, within `max_poll_interval_ms`
    more workers than partitions                                           others read them
    the broker is away                                                     nobody knows; the time begins anew when it is back
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from aiokafka.errors import IllegalStateError, KafkaError

from services.chassis.lag import ANSWER_SECONDS, Observer, Standing, observing
from services.chassis.settings import Settings
from services.chassis.subscribing import Subscription
from services.chassis.waiting import to_its_end

log = structlog.get_logger()

LOOK_SECONDS = 10.0
"""Between two looks: half a dozen requests for each group, which the broker does not feel."""
LOOKS_PER_LIMIT = 4
POSITION_SECONDS = 0.5


class ConsumerStalled(Exception):
    """The process must end, so that a fresh one joins the group."""


@dataclass
class Watched:
    """One subscription, and since when it has had work."""

    subscription: Subscription
    since: float | None = None

    async def look(self, observer: Observer, limit_seconds: float) -> None:
        standings = await observer.standings(self.subscription.group, self.subscription.topics)
        now = time.monotonic()
        if not await self._has_work(standings):
            self.since = None
            return
        self.since = now if self.since is None else self.since
        quiet_seconds = now - max(self.since, self.subscription.quiet_since)
        if quiet_seconds > limit_seconds:
            behind = sum(standing.lag for standing in standings)
            raise ConsumerStalled(
                f"{self.subscription.group}: {behind} records wait, and none was taken up for {quiet_seconds:.0f} s"
            )

    async def _has_work(self, standings: Sequence[Standing]) -> bool:
        behind = [standing for standing in standings if standing.lag]
        return any([not standing.is_read or await self._should_read(standing) for standing in behind])

    async def _should_read(self, standing: Standing) -> bool:
        consumer, partition = self.subscription.consumer, standing.partition
        if consumer is None or partition not in consumer.assignment() or partition in consumer.paused():
            return False
        try:
            position: int = await asyncio.wait_for(consumer.position(partition), POSITION_SECONDS)
        except TimeoutError:
            return True  # it does not even know where to begin
        except IllegalStateError:
            return False  # taken away just now
        return position < standing.end


async def watch(settings: Settings, subscriptions: Sequence[Subscription], stalled: asyncio.Event) -> None:
    """For as long as they work. Sets `stalled` and raises `ConsumerStalled` when one of them does not."""
    watched, is_known = [Watched(subscription) for subscription in subscriptions], True
    limit_seconds = settings.stall_seconds
    while True:
        try:
            async with observing(settings, f"{settings.service}-observer") as observer:
                while True:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        for one in watched:
                            await to_its_end(one.look(observer, limit_seconds))
                    is_known = _tell(is_known=True, before=is_known)
                    await asyncio.sleep(min(LOOK_SECONDS, limit_seconds / LOOKS_PER_LIMIT))
        except ConsumerStalled:
            stalled.set()
            raise
        except (KafkaError, TimeoutError, OSError) as error:
            is_known = _tell(is_known=False, before=is_known, error=type(error).__name__)
            for one in watched:
                one.since = None
            await asyncio.sleep(1.0)


def _tell(*, is_known: bool, before: bool, **why: str) -> bool:
    """When it begins and when it ends: an outage may last for hours."""
    if is_known != before:
        log.warning(
            "the lag of the consumers is known again" if is_known else "the lag of the consumers is not known", **why
        )
    return is_known
