"""A worker as services have one, whose handler does nothing: what is left is the way from Kafka through the inbox to the commit.

`python -m tests.bench.log.consuming_worker worker`, with the environment of payments: it stands in its place.
"""

from __future__ import annotations

from courtside_contracts.booking import BookingHeld
from courtside_contracts.topics import BOOKING_EVENTS
from services.chassis.consuming import Consumers
from services.chassis.service import Chassis, Service, main
from services.chassis.unit_of_work import UnitOfWork
from services.payments.settings import PaymentsSettings


async def take_note(work: UnitOfWork, event: BookingHeld) -> None:
    """Handlers differ; none is what they have in common."""


def build(chassis: Chassis) -> Service:
    del chassis
    return Service(
        "A worker without work", consumers=Consumers((BOOKING_EVENTS,), in_transaction={BookingHeld: take_note})
    )


if __name__ == "__main__":
    main(PaymentsSettings, build)
