"""The consumer groups of a service, as `working._subscribe` and `_mirror` have them."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.consuming import Consumers
from services.chassis.dead_letters.consumers import BATCH
from services.chassis.retrying import Ladder
from services.chassis.working import DATABASE_BATCH, PROVIDER_BATCH


@dataclass(frozen=True)
class Group:
    """A consumer group. With `delay_seconds` it is that of a retry tier."""

    name: str
    topics: tuple[str, ...]
    batch: int
    delay_seconds: float = 0.0
    is_mirror: bool = False


def groups_of(consumers: Consumers, ladder: Ladder) -> list[Group]:
    service = ladder.service
    parts = {
        service: consumers.main_topics,
        f"{service}.projections": consumers.projected_topics,
        f"{service}.paced": consumers.paced,
    }
    groups = [
        Group(name, tuple(topic.name for topic in topics), _batch(calls=consumers.call_out_on(topics)))
        for name, topics in parts.items()
        if topics
    ]
    calls = _batch(calls=bool(consumers.calling_out))
    for tier in ladder.tiers:
        name = ladder.topic(tier)
        groups.append(Group(name, (name,), calls, tier.delay.total_seconds()))
    return [*groups, Group(ladder.dead_letters, (ladder.dead_letters,), BATCH, is_mirror=True)]


def _batch(*, calls: bool) -> int:
    return PROVIDER_BATCH if calls else DATABASE_BATCH
