from __future__ import annotations

from courtside_contracts.payment import PaymentCheckoutOpened, PaymentRefunded, PaymentSucceeded
from services.booking.bookings import mutations
from services.booking.venues.queries import Catalogue
from services.chassis.unit_of_work import UnitOfWork


async def show_checkout(work: UnitOfWork, event: PaymentCheckoutOpened) -> None:
    await mutations.show_checkout(work, event.booking_id, event.checkout_url)


async def take_payment(catalogue: Catalogue, work: UnitOfWork, event: PaymentSucceeded) -> None:
    await mutations.take_payment(work, catalogue, event)


async def lose_payment(catalogue: Catalogue, work: UnitOfWork, event: PaymentRefunded) -> None:
    await mutations.lose_payment(work, catalogue, event)
