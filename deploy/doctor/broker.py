"""What the broker knows: topics that are not as they must be, and records that nobody has handled yet."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from aiokafka.errors import KafkaError

from courtside_contracts.topics import LADDER, SERVICES, dead_letter_topic, retry_topic
from deploy.broker import BrokerSettings
from deploy.doctor.findings import Finding
from deploy.local.errors import Trouble
from deploy.topics import provisioning
from services.chassis.broker_watch import silent
from services.chassis.lag import Observer, Standing, observing

ANSWER_SECONDS = 30.0
"""For all answers together: some hundred questions, on a busy machine. A broker that hangs is known before the first of them."""
MANY = 1_000
"""Records behind, that a worker takes a few seconds for: more is a worker too few."""


async def look(settings: BrokerSettings) -> list[Finding]:
    away = await silent(settings, "courtside-doctor")
    if len(away) == len(settings.kafka_bootstrap.split(",")):
        return [Finding("fail", "broker", "kafka", f"no broker answers: {', '.join(away)}")]
    told = [Finding("warn", "broker", "kafka", f"does not answer: {', '.join(away)}")] if away else []
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return [*told, *await _examine(settings)]
    except Trouble as error:
        return [Finding("fail", "broker", "kafka", str(error))]
    except TimeoutError:
        said = f"{settings.kafka_bootstrap} does not tell of its groups within {ANSWER_SECONDS:.0f} s"
        return [*told, Finding("fail", "broker", "kafka", said)]
    except (KafkaError, OSError) as error:
        return [Finding("fail", "broker", "kafka", f"{settings.kafka_bootstrap}: {type(error).__name__}")]


async def _examine(settings: BrokerSettings) -> list[Finding]:
    drift = [topic_finding(sorted({change.topic for change in await provisioning.plan(settings)}))]
    async with observing(settings, "courtside-doctor") as observer:
        return drift + [finding for group in groups_of_all() for finding in await _group(observer, settings, group)]


def topic_finding(differing: Sequence[str]) -> Finding:
    if not differing:
        return Finding("ok", "broker", "topics", "all are as they must be")
    return Finding("warn", "broker", "topics", f"not as they must be: {', '.join(differing)}")


def lag_findings(group: str, standings: Iterable[Standing], *, waits: bool) -> Iterator[Finding]:
    """Pure. A group that `waits` is that of a retry tier: what lies there may not be due."""
    standings = list(standings)
    behind = sum(standing.lag for standing in standings)
    unread = sorted({s.partition.topic for s in standings if s.lag and not s.is_read})
    if unread:
        yield Finding("fail", group, "lag", f"{behind} records wait, and nobody reads {', '.join(unread)}")
    elif behind and waits:
        yield Finding("warn", group, "waiting", f"{behind} records wait for their next try")
    elif behind > MANY:
        yield Finding("warn", group, "lag", f"{behind} records behind")
    elif not waits:
        yield Finding("ok", group, "lag", f"{behind} records behind")


def groups_of_all() -> Iterator[tuple[str, tuple[str, ...] | None]]:
    """Name and topics of each, without prefix; `None`: those that it has ever read."""
    for service in SERVICES:
        yield from ((service + apart, None) for apart in ("", ".projections", ".paced"))
        for topic in (*(retry_topic(service, tier.name) for tier in LADDER), dead_letter_topic(service)):
            yield topic.name, (topic.name,)


async def _group(
    observer: Observer, settings: BrokerSettings, named: tuple[str, tuple[str, ...] | None]
) -> list[Finding]:
    name, topics = settings.topic_prefix + named[0], named[1]
    if topics is None:
        read = sorted({spot.topic for spot in await observer.admin.committed(name)})
    else:
        read = [settings.topic_prefix + topic for topic in topics]
    standings = await observer.standings(name, read) if read else []
    return list(lag_findings(name, standings, waits=topics is not None)) if read else []
