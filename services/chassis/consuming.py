"""What a service reads, and what it does with each type of event: `Consumers`, in its `app.py`, is the whole configuration.

A handler is one of three kinds:

- `projections` copy somebody else's state into a table of ours, in a consumer of their own, so that what the others read there never waits
  behind what they do; when the state is erased at its source, a null value comes in its place, and the projection's `tombstones`
  handler forgets it;
- `in_transaction` handlers touch the database only; a batch of them shares one transaction, and is redone one by one if it fails;
- `calling_out` handlers call a provider; they run one by one, each with transactions of its own, and claim with the result.

`pipeline.py` runs them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from courtside_contracts.envelope import Event
from courtside_contracts.topics import Topic, all_topics
from services.chassis import inbox
from services.chassis.breaker import Breaker
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

LANES = 16
"""Keys handled side by side: as many provider calls are under way at once."""

COMPACTED = frozenset(topic.name for topic in all_topics() if topic.cleanup == "compact")

E = TypeVar("E", bound=Event)


@dataclass
class Delivery(Generic[E]):
    """An event as a handler that calls a provider gets it: it opens its own transactions.

    A handler that finds nothing to do may just return: the pipeline then claims the event for it.
    """

    event: E
    event_id: str
    group: str
    unit_of_work: UnitOfWorkFactory
    claimed: bool = field(default=False, init=False)
    """Whether the mark in the inbox is committed."""

    @asynccontextmanager
    async def once(self) -> AsyncIterator[UnitOfWork]:
        """The transaction that ends the handling: its rows, its events and the mark in the inbox are one commit.

        Raises `AlreadyHandled`, which the pipeline takes for success, when another process was faster.
        """
        async with self.unit_of_work() as work:
            if not await inbox.claim(work.session, self.group, [self.event_id]):
                raise AlreadyHandled(self.event_id)
            yield work
        self.claimed = True


class AlreadyHandled(Exception):
    """The event's effect is there; nothing is left to do."""


InTransaction = Callable[[UnitOfWork, Any], Awaitable[None]]
CallingOut = Callable[[Delivery[Any]], Awaitable[None]]
Forget = Callable[[UnitOfWork, str], Awaitable[None]]
"""Gets the record's key."""


@dataclass(frozen=True)
class Consumers:
    """What a service reads and what it does with each type of event; types that are not named here are passed over."""

    topics: tuple[Topic, ...] = ()
    projections: Mapping[type[Event], InTransaction] = field(default_factory=dict)
    in_transaction: Mapping[type[Event], InTransaction] = field(default_factory=dict)
    calling_out: Mapping[type[Event], CallingOut] = field(default_factory=dict)
    tombstones: Mapping[type[Event], Forget] = field(default_factory=dict)
    paced: tuple[Topic, ...] = ()
    """Of `topics`, those whose records wait for a provider's pace: a consumer of their own reads them, so that nothing else waits too."""
    breaker: Breaker | None = None
    """Of the provider that all of `calling_out` call."""

    def __post_init__(self) -> None:
        for event in self.tombstones:
            if event not in self.projections or event.topic not in COMPACTED:
                raise ValueError(f"{event.type} has no tombstones: only a projection of a compacted topic has")

    @property
    def projected_topics(self) -> tuple[Topic, ...]:
        """Those of which nothing but projections is read."""
        others = {event.topic for event in (*self.in_transaction, *self.calling_out)}
        read = {event.topic for event in self.projections}
        return tuple(topic for topic in self.topics if topic.name in read - others)

    @property
    def main_topics(self) -> tuple[Topic, ...]:
        return tuple(topic for topic in self.topics if topic not in (*self.projected_topics, *self.paced))

    def call_out_on(self, topics: Iterable[Topic]) -> bool:
        """Whether what is read there may call the provider."""
        names = {topic.name for topic in topics}
        return any(event.topic in names for event in self.calling_out)

    @property
    def by_type(self) -> dict[str, type[Event]]:
        return {event.type: event for event in (*self.projections, *self.in_transaction, *self.calling_out)}
