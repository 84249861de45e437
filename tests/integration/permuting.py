"""Every order in which one booking's records may come, copies among them, through a service's real pipeline and database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from aiokafka import ConsumerRecord
from structlog.testing import capture_logs

from courtside_contracts.envelope import Envelope, Event
from services.chassis.consuming import Consumers
from services.chassis.pipeline import Pipeline
from services.chassis.retrying import Ladder
from services.chassis.settings import Settings
from services.chassis.subscribing import Record
from services.chassis.unit_of_work import UnitOfWorkFactory

BESIDE = 16
"""Orders under way at once: each is a booking of its own."""
ROUNDS = 10
"""How often what was routed on may come again; less than a ladder has steps."""
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

S = TypeVar("S")


def orders(kinds: Sequence[str]) -> list[tuple[str, ...]]:
    """All distinct orders of these; a name that comes twice stands for a record and its copy, which cannot be told apart."""
    return sorted(set(itertools.permutations(kinds)))


def record(event: Event, event_id: str, numbers: Iterator[int] = itertools.count()) -> Record:  # noqa: B008 - one for all
    envelope = Envelope(event_id, event.type, event.source, NOON, event.key)
    return _record(event.topic, next(numbers), event.key.encode(), event.value(), envelope.headers())


def _record(topic: str, offset: int, key: bytes | None, value: bytes | None, headers: Any) -> Record:
    return ConsumerRecord(topic, 0, offset, 0, 0, key, value, None, len(key or b""), len(value or b""), tuple(headers))


@dataclass
class Tiers:
    """In the place of the producer that carries records on: it hands them back by their keys, as the retry topics would."""

    waiting: dict[bytes | None, list[Record]] = field(default_factory=dict)
    dead: list[str] = field(default_factory=list)

    async def send_and_wait(self, topic: str, *, value: bytes | None, key: bytes | None, headers: Any) -> None:
        if topic.endswith(".dlt"):
            self.dead.append(dict(headers)["x-error-message"].decode())
        else:
            self.waiting.setdefault(key, []).append(_record(topic, 0, key, value, headers))


class Player:
    """Plays records to a service, one after the other, until nothing waits for another try. One pipeline, as in a process."""

    def __init__(self, settings: Settings, consumers: Consumers, unit_of_work: UnitOfWorkFactory) -> None:
        self._tiers = Tiers()
        self._pipeline = Pipeline(settings, consumers, unit_of_work, Ladder(settings.service))
        self._pipeline.forwarder.producer = self._tiers

    async def play(self, records: Iterable[Record]) -> None:
        played = list(records)
        await self._handle(played)
        for _ in range(ROUNDS):
            await self._handle(
                [again for key in {one.key for one in played} for again in self._tiers.waiting.pop(key, [])]
            )
        assert not self._tiers.waiting.keys() & {one.key for one in played}, "it never comes to rest"
        assert self._tiers.dead == []

    async def _handle(self, records: Iterable[Record]) -> None:
        for one in records:
            await self._pipeline.handle_batch([one])


async def ends(
    chosen: Iterable[tuple[str, ...]], run: Callable[[tuple[str, ...]], Awaitable[S]]
) -> dict[S, tuple[str, ...]]:
    """The different ends, each with an order that leads there. `run` makes a booking, plays one order to it, and looks."""
    places, found = asyncio.Semaphore(BESIDE), dict[S, tuple[str, ...]]()

    async def one(order: tuple[str, ...]) -> None:
        async with places:
            found.setdefault(await run(order), order)

    with capture_logs():  # to render the traces of so many tries takes longer than all the rest
        await asyncio.gather(*map(one, chosen))
    return found
