"""A worker that notes and repeats what it is told, to be killed: `python -m tests.integration.chassis.crashing worker`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import ClassVar

from sqlalchemy import insert

from courtside_contracts.topics import BOOKING_EVENTS, COURT_EVENTS
from services.chassis import subscribing
from services.chassis.consuming import Consumers, Delivery
from services.chassis.retrying import Transient
from services.chassis.service import Chassis, Service, main
from services.chassis.unit_of_work import UnitOfWork
from tests.integration.chassis.conftest import Noted, WorkerSettings, effects

MEMBER = "the one worker"
"""A static member: the next process takes the place of the killed one at once, and need not wait until the group has forgotten it."""


class Asked(Noted):
    """Cannot be handled before an instant: by then it is in a retry tier."""

    type: ClassVar[str] = "test.asked.v1"

    not_before: datetime


class AskedToCall(Asked):
    """The same for a handler that calls out."""

    type: ClassVar[str] = "test.asked_to_call.v1"


class Echoed(Noted):
    """What is told in answer."""

    type: ClassVar[str] = "test.echoed.v1"
    topic: ClassVar[str] = COURT_EVENTS.name


async def note(work: UnitOfWork, event: Asked) -> None:
    if datetime.now(UTC) < event.not_before:
        raise Transient("not yet")
    await work.session.execute(insert(effects).values(key=event.name, number=event.number))
    work.publish(Echoed(name=event.name, number=event.number))


async def call(delivery: Delivery[AskedToCall]) -> None:
    async with delivery.once() as work:
        await note(work, delivery.event)


def build(chassis: Chassis) -> Service:
    del chassis
    consumers = Consumers(topics=(BOOKING_EVENTS,), in_transaction={Asked: note}, calling_out={AskedToCall: call})
    return Service("A worker to be killed", consumers=consumers)


if __name__ == "__main__":
    subscribing.CONSUMER["group_instance_id"] = MEMBER
    main(WorkerSettings, build)
