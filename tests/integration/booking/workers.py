"""The worker's half of the service in the test's own process: payments arrive here, and crons fire here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import SecretStr

import services.booking.app  # noqa: F401 - every table is known
from courtside_contracts.payment import PaymentSucceeded
from services.booking.bookings import mutations
from services.booking.settings import BookingSettings
from services.booking.venues.queries import Catalogue
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database
from services.chassis.unit_of_work import UnitOfWorkFactory


@dataclass(frozen=True)
class Worker:
    unit_of_work: UnitOfWorkFactory
    catalogue: Catalogue

    @classmethod
    @asynccontextmanager
    async def open(cls, database_url: str) -> AsyncIterator[Worker]:
        database, clock = await Database.open(BookingSettings(database_url=SecretStr(database_url))), DatabaseClock()
        await clock.synchronise(database)
        catalogue = Catalogue(database)
        yield cls(UnitOfWorkFactory(database, clock, lambda: None), catalogue)
        await catalogue.close()
        await database.close()

    async def pay(self, booking: dict[str, Any], order_id: str, amount_minor: int | None = None) -> None:
        """The frozen price, unless another amount is said."""
        payment = PaymentSucceeded(
            booking_id=UUID(booking["id"]),
            attempt_id=uuid4(),
            amount_minor=booking["price"]["amount"] if amount_minor is None else amount_minor,
            currency=booking["price"]["currency"],
            order_id=order_id,
            paid_at=datetime.now(UTC),
        )
        async with self.unit_of_work() as work:
            await mutations.take_payment(work, self.catalogue, payment)
