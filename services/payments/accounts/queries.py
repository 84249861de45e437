from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.chassis.staff import Rights
from services.payments.accounts.domain import Account, PaymentNotFound
from services.payments.checkouts import queries as checkouts
from services.payments.checkouts.tables import PaymentAttempt
from services.payments.orders.queries import recorded_of
from services.payments.quarantine.queries import doubted_of
from services.payments.refunds.queries import of_attempts


async def of_booking(session: AsyncSession, booking_id: UUID, rights: Rights) -> list[Account]:
    """The oldest first."""
    return await _accounts(session, await checkouts.attempts_of(session, booking_id, rights.cover))


async def one(session: AsyncSession, payment_id: UUID, rights: Rights) -> Account:
    """Raises `PaymentNotFound`, also for another venue's."""
    attempt = await checkouts.attempt(session, payment_id, rights.cover)
    if attempt is None:
        raise PaymentNotFound("There is no such payment.", payment_id=str(payment_id))
    [account] = await _accounts(session, [attempt])
    return account


async def _accounts(session: AsyncSession, attempts: Sequence[PaymentAttempt]) -> list[Account]:
    ids = [attempt.id for attempt in attempts]
    orders, doubted = await recorded_of(session, ids), await doubted_of(session, ids)
    refunds = await of_attempts(session, ids)
    return [Account.of(attempt, orders, doubted, refunds) for attempt in attempts]
