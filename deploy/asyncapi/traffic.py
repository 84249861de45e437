"""Who sends and who receives what: read off the code that does it.

A service sends the events whose CloudEvents source it is, and receives what its `Consumers` name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from courtside_contracts.catalogue import EVENTS
from courtside_contracts.envelope import Event
from courtside_contracts.topics import Topic, all_topics
from services.booking import app as booking
from services.chassis.consuming import Consumers
from services.notifications import app as notifications
from services.notifications.emails.consumers import Sending, Writing
from services.payments import app as payments

NEVER_CALLED: Any = SimpleNamespace(breaker=None)
"""In place of what the handlers work with: here they are only looked at."""

CONSUMERS: Mapping[str, Consumers] = {
    "booking": booking.consumers(NEVER_CALLED),
    "payments": payments.consumers(NEVER_CALLED),
    "notifications": notifications.consumers(Writing(NEVER_CALLED), Sending(NEVER_CALLED, NEVER_CALLED), breaker=None),
}

Kind = type[Event]


def kinds() -> dict[str, Kind]:
    """By type: the public events, then what a service tells only itself, such as a provider's webhook."""
    consumed = (kind for consumers in CONSUMERS.values() for kind in consumers.by_type.values())
    return {kind.type: kind for kind in (*EVENTS.values(), *consumed)}


def on(topic: Topic) -> list[Kind]:
    return [kind for kind in kinds().values() if kind.topic == topic.name]


def sender(kind: Kind) -> str:
    return kind.source.rpartition("/")[2]


def sent(service: str) -> Iterator[tuple[Topic, list[Kind]]]:
    return _by_topic(kind for kind in kinds().values() if sender(kind) == service)


def received(service: str) -> Iterator[tuple[Topic, list[Kind]]]:
    return _by_topic(CONSUMERS[service].by_type.values())


def _by_topic(some: Iterable[Kind]) -> Iterator[tuple[Topic, list[Kind]]]:
    chosen = list(some)
    for topic in all_topics():
        if found := [kind for kind in chosen if kind.topic == topic.name]:
            yield topic, found
