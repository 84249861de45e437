"""A whole process of the chassis that a test steers: `python -m tests.integration.chassis.steered worker`.

An event named `held` says in a file that it was begun, and ends when another file is there. One named `stalls` takes away what fetches
records, as aiokafka has lost it before: without an error. That happens once, so a process that is started afterwards is sound.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from courtside_contracts.topics import BOOKING_EVENTS, USER_PROFILES
from services.chassis import working
from services.chassis.consuming import Consumers, Delivery
from services.chassis.service import Chassis, Service, main
from services.chassis.subscribing import Subscription
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Called, Known, Noted, WorkerSettings, effects

LOOK_SECONDS = 0.02


class SteeredSettings(WorkerSettings):
    folder: Path


@dataclass(frozen=True)
class Signs:
    """Files by which test and process tell each other where they are."""

    folder: Path

    @property
    def begun(self) -> Path:
        return self.folder / "begun"

    @property
    def may_end(self) -> Path:
        return self.folder / "may end"

    @property
    def stalled(self) -> Path:
        return self.folder / "stalled"


@dataclass
class Steering:
    signs: Signs
    subscriptions: list[Subscription] = field(default_factory=list)

    async def note(self, work: UnitOfWork, event: Noted) -> None:
        if event.name == "held":
            await self._hold()
        if event.name == "stalls":
            self._stall()
        await work.session.execute(insert(effects).values(key=event.name, number=event.number))

    async def call(self, delivery: Delivery[Called]) -> None:
        """Holds outside of any transaction, as a call to a provider does."""
        if delivery.event.name == "held":
            await self._hold()
        async with delivery.once() as work:
            await work.session.execute(insert(effects).values(key=delivery.event.name, number=delivery.event.number))

    async def _hold(self) -> None:
        self.signs.begun.touch()
        while not self.signs.may_end.exists():  # noqa: ASYNC110 - the test is another process
            await asyncio.sleep(LOOK_SECONDS)

    def _stall(self) -> None:
        if not self.signs.stalled.exists():
            self.signs.stalled.touch()
            main_group: Any = self.subscriptions[0].consumer
            main_group._fetcher._fetch_task.cancel()

    def subscribe(self, *args: Any, **options: Any) -> Subscription:
        self.subscriptions.append(Subscription(*args, **options))
        return self.subscriptions[-1]


def build(chassis: Chassis) -> Service:
    assert isinstance(chassis.settings, SteeredSettings)
    steering = Steering(Signs(chassis.settings.folder))
    setattr(working, "Subscription", steering.subscribe)  # noqa: B010 - to know the consumers behind; a class is no function
    consumers = Consumers(
        topics=(BOOKING_EVENTS, USER_PROFILES),
        projections={Known: steering.note},
        in_transaction={Noted: steering.note},
        calling_out={Called: steering.call},
    )
    return Service("A process that a test steers", consumers=consumers)


if __name__ == "__main__":
    main(SteeredSettings, build)
